"""Letters and signs that are not those which were meant, though they may look like them."""

from __future__ import annotations

import re
import unicodedata

# Word processors put them in the place of `-`.
_DASHES = re.compile(r"[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
# They are printable for Python, and show nothing: joiners, fillers, selectors of a variant.
_UNSEEN = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_ALIKE = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN"}
_QUOTATION_MARKS = "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
# A letter of some African languages, and often the first half of one that Mac Roman makes two of.
_HOOKED_F = "\u0192"
# Only an apostrophe is within a word.
_QUOTED_WITHIN = re.compile(r"[^\W\d_][\u2018\u201c\u201d\u201e\u00ab\u00bb][^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+")
_WIDE = re.compile(r"[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")
# In which Excel for the Macintosh, a Windows console and a Central European Windows read UTF-8 that does not say so.
_ENCODINGS = ("mac_roman", "cp437", "cp850", "cp1250")


def narrow(value: str) -> str:
    """As it would be in ASCII: full-width letters, other scripts' digits."""
    plain = unicodedata.normalize("NFKC", value)
    return "".join(str(unicodedata.digit(char)) if char.isdigit() else char for char in plain) or value


def is_wide(char: str) -> bool:
    """A letter or sign that only looks like one of ASCII."""
    return not char.isascii() and unicodedata.normalize("NFKC", char).isascii()


def is_misread(value: str, encoding: str = "cp1252") -> bool:
    """Whether UTF-8 was taken for another encoding, as in `JÃ¶rg`."""
    try:
        return len(value.encode(encoding).decode()) < len(value)
    except (UnicodeEncodeError, UnicodeDecodeError):
        return False


def _is_plausible(value: str) -> bool:
    """Whether it reads like text as it stands, as `RÓŻYCKI` and `l’École` do. UTF-8 that was misread holds signs,
    quotation marks or capitals within a word."""
    for char in value:
        if not (char.isascii() or char in _QUOTATION_MARKS or (char.isalpha() and char != _HOOKED_F)):
            return False
    if _QUOTED_WITHIN.search(value):
        return False
    return all(word.isupper() or word[1:].islower() or len(word) == 1 for word in _WORD.findall(value))


def odd_signs(value: str) -> str | None:
    """What signs it holds that look like others which were meant, or None."""
    if _UNSEEN.search(value):
        return "holds a sign that cannot be seen"
    if not _is_plausible(value) and any(is_misread(value, encoding) for encoding in _ENCODINGS):
        return "holds characters that may have been read in a wrong encoding"
    if _DASHES.search(value):
        return "holds a dash other than -, as word processors write"
    if _WIDE.search(value):
        return "holds letters or digits that only look like ASCII's, such as full-width ones"
    if len(scripts(value) & _ALIKE) > 1:
        return "letters of several scripts, some of which may only look like the right ones"
    if unicodedata.normalize("NFC", value) != value:
        return "its accents are signs of their own, as on file systems of Apple: the stored value may have none such"
    return None


def scripts(value: str) -> set[str]:
    """The scripts of its letters, by their Unicode names."""
    return {unicodedata.name(char, "").partition(" ")[0] for char in value if char.isalpha()}
