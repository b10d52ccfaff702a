"""Takes identities out of Adobe's texts, so that they may be kept.

Not promised: that a name, or a form of an identity that looks like a word, is recognised where it is not one of the
request's own identities.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from html import escape
from urllib.parse import quote, quote_plus

MASK = "[identity]"
MAX_LENGTH = 2000
# Longer ones would take their time. Of so much, more than is kept is left, however many identities are in it.
MAX_READ = 4 * MAX_LENGTH

# Ids of data sets, by which a person finds them in Adobe's UI: 24 hexadecimal digits, and only in such a list.
_DATASETS = re.compile(r"dataSetIds\s*=\s*\[[^\]]*\]", re.IGNORECASE)
_DATASET = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)
_LOOKS_LIKE_ONE = re.compile(
    r"[^\s@,;:<>\"'()\[\]=]+(?:@|%40)[^\s@,;:<>\"'()\[\]=]+"  # an e-mail address
    r"|(?<![\w-])\+?\(?\d(?:[\s().:/-]?\d){6,}(?![\w-])"  # a phone number, an address of the network, a long number
    r"|(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[a-z])[a-z0-9_-]{12,}(?![\w-])",  # an id
    re.IGNORECASE,
)
_CODE = re.compile(r"PRVCY-\d{1,6}-\d{3}", re.IGNORECASE)


def without_identities(text: str | None, identities: Iterable[str]) -> str | None:
    """`text` with these identities, in any case and in the spellings of URLs and HTML, and whatever looks like one,
    replaced by `[identity]`. At most 2,000 characters of it."""
    if not text:
        return None
    if len(text) > MAX_READ:  # cut between two words: a part of an identity would be nobody's
        text = text[:MAX_READ].rpartition(" ")[0]
    text = unicodedata.normalize("NFC", text)
    for spelling in _spellings(identities):
        text = re.sub(spelling, MASK, text, flags=re.IGNORECASE)
    kept: list[str] = []
    last = 0
    for match in _DATASETS.finditer(text):
        kept += [_LOOKS_LIKE_ONE.sub(_masked, text[last : match.start()]), _datasets(match.group())]
        last = match.end()
    masked = "".join([*kept, _LOOKS_LIKE_ONE.sub(_masked, text[last:])])
    return masked if len(masked) <= MAX_LENGTH else f"{masked[: MAX_LENGTH - 1]}…"


def _spellings(identities: Iterable[str]) -> list[str]:
    """Patterns, the longest first: one identity may be a part of another."""
    found: set[str] = set()
    for identity in identities:
        plain = unicodedata.normalize("NFC", identity).strip()
        if plain:
            found |= {plain, quote(plain, safe=""), quote_plus(plain), escape(plain)}
    return [
        # A short one may be a part of any word.
        re.escape(each) if len(each) > 3 else rf"(?<!\w){re.escape(each)}(?!\w)"
        for each in sorted(found, key=len, reverse=True)
    ]


def _masked(match: re.Match[str]) -> str:
    return match.group() if _CODE.fullmatch(match.group()) else MASK


def _datasets(text: str) -> str:
    names, _, ids = text.rpartition("[")
    shown = (
        part if _DATASET.fullmatch(part.strip()) or MASK in part else _LOOKS_LIKE_ONE.sub(_masked, part)
        for part in ids.rstrip("]").split(",")
    )
    return f"{names}[{','.join(shown)}]"
