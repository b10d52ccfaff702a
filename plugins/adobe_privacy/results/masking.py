"""Takes identities out of Adobe's texts, so that they may be kept.

The request's own identities are recognised in the spellings of `spellings.py`; of others, what looks like one. Not
promised: a name, or a form of an identity that looks like a word, where it is not one of the request's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from adobe_privacy.results.spellings import Spellings, decoded

MASK = "[identity]"
MAX_LENGTH = 2000
# Longer ones would take their time. Of so much, more than is kept is left, however many identities are in it.
MAX_READ = 4 * MAX_LENGTH
# Between two texts; a blank for every pattern, and in no text.
_BETWEEN = "\x1f"

# Ids of data sets, by which a person finds them in Adobe's UI: 24 hexadecimal digits, and only in such a list.
_DATASETS = re.compile(r"dataSetIds\s*=\s*\[[^\]]*\]", re.IGNORECASE)
_DATASET = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)
_LOOKS_LIKE_ONE = re.compile(
    r"[^\s@,;:<>\"'()\[\]=]+@[^\s@,;:<>\"'()\[\]=]+"  # an e-mail address
    r"|(?<![\w-])\+?\(?\d(?:[\s().:/-]?\d){6,}(?![\w-])"  # a phone number, an address of the network, a long number
    r"|(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[a-z])[a-z0-9_-]{12,}(?![\w-])",  # an id
    re.IGNORECASE,
)
_CODE = re.compile(r"PRVCY-\d{1,6}-\d{3}", re.IGNORECASE)


def without_identities(text: str | None, identities: Iterable[str]) -> str | None:
    """`text` with these identities, and whatever looks like one, replaced by `[identity]`. At most 2,000 characters of
    it, without the codings of URLs, HTML and JSON."""
    return all_without_identities([text], identities)[0]


def all_without_identities(texts: Sequence[str | None], identities: Iterable[str]) -> list[str | None]:
    """The same of several texts that follow each other, so that an identity may be split over two of them."""
    text = _BETWEEN.join(_read(each) if each else "" for each in texts)
    if not text.strip(_BETWEEN):
        return [None] * len(texts)
    text = Spellings(identities).replaced(text, _mask)
    kept: list[str] = []
    last = 0
    for match in _DATASETS.finditer(text):
        kept += [_LOOKS_LIKE_ONE.sub(_masked, text[last : match.start()]), _datasets(match.group())]
        last = match.end()
    masked = "".join([*kept, _LOOKS_LIKE_ONE.sub(_masked, text[last:])])
    return [_short(each) or None for each in masked.split(_BETWEEN)]


def _read(text: str) -> str:
    if len(text) > MAX_READ:  # cut between two words: a part of an identity would be nobody's
        text = text[:MAX_READ].rpartition(" ")[0]
    return decoded(text)


def _short(text: str) -> str:
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 1]}…"


def _mask(match: re.Match[str]) -> str:
    return MASK + _BETWEEN * match.group().count(_BETWEEN)


def _masked(match: re.Match[str]) -> str:
    return match.group() if _CODE.fullmatch(match.group()) else _mask(match)


def _datasets(text: str) -> str:
    names, _, ids = text.rpartition("[")
    shown = (
        part if _DATASET.fullmatch(part.strip()) or MASK in part else _LOOKS_LIKE_ONE.sub(_masked, part)
        for part in ids.rstrip("]").split(",")
    )
    return f"{names}[{','.join(shown)}]"
