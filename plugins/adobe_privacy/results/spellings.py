"""Finds known identities in a text, however a program has written them.

Found are: any case; other signs, or none, between the letters; the codings of URLs, HTML and JSON, also twice;
Base64, hexadecimal, and the usual hashes; without accents or read in a wrong encoding; `jane at example dot com`; the
local part of an address and the words of a name by themselves; and a beginning, where it is long or followed by dots.
"""

from __future__ import annotations

import hashlib
import quopri
import re
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from html import unescape
from urllib.parse import unquote

from adobe_privacy.plain_text import plain

Replace = Callable[[re.Match[str]], str]

_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]\w{1,30});", re.IGNORECASE)
_ESCAPES = re.compile(r"(?:\\u[0-9a-f]{4}|\\x[0-9a-f]{2})+", re.IGNORECASE)
_SIGNS = re.compile(r"[\W_]+")
# Shorter ones may be a part of any word.
_SHORTEST, _SHORTEST_SPREAD, _SHORTEST_WORD, _SHORTEST_BEGINNING = 4, 5, 3, 6
_LONGEST_SPREAD = 256
_HASHES = ("md5", "sha1", "sha256", "sha512")
_TOKEN = re.compile(r"(?<![\w@+])(\+?\w(?:\.?[\w@+%-])*)(?:(\.{2,}|\*{2,})[\w@.-]*)?")


def decoded(text: str) -> str:
    """`text` without the codings of URLs, HTML and JSON, on one line, and with one form for each sign."""
    for _ in range(3):
        before = text
        text = unquote(_ENTITY.sub(lambda match: unescape(match.group()), text), errors="replace")
        text = _ESCAPES.sub(_unescaped, text)
        if text == before:
            break
    text = unicodedata.normalize("NFKC", text)
    # Signs that nobody sees may lie within a word.
    return plain("".join(char for char in text if unicodedata.category(char) != "Cf"))


def _unescaped(match: re.Match[str]) -> str:
    text = match.group().encode().decode("unicode_escape")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Spellings:
    """Of some identities. Make one for a job's texts."""

    def __init__(self, identities: Iterable[str]) -> None:
        self._values = [value for each in dict.fromkeys(identities) if (value := decoded(each).strip())]
        self._words = {word for value in self._values for word in _words(value)}
        self._squeezed = [_squeezed(value) for value in (*self._values, *self._words)]

    def replaced(self, text: str, replace: Replace) -> str:
        """`text` with every place where one of the identities is replaced. The longest first: one may be a part of
        another."""
        coded = {each for value in self._values for each in _codings(value)}
        text = _literally(text, coded, replace, r"={0,2}")
        squeezed = _squeezed(text)
        spread = {each for value in self._values for each in _variants(value) if _spread(each)}
        for each in sorted(spread, key=len, reverse=True):
            if _squeezed(each) in squeezed:
                text = re.sub(_pattern(each), replace, text, flags=re.IGNORECASE)
        text = _literally(text, {each for value in self._values for each in _variants(value)}, replace)
        text = _TOKEN.sub(lambda match: replace(match) if self._begins(match) else match.group(), text)
        return _literally(text, self._words, replace, bounded=True)

    def _begins(self, token: re.Match[str]) -> bool:
        """Whether an identity begins so, and the rest is missing."""
        head = _squeezed(token.group(1))
        shortest = _SHORTEST_WORD if token.group(2) else _SHORTEST_BEGINNING
        return len(head) >= shortest and any(each.startswith(head) for each in self._squeezed)


def _literally(
    text: str, spellings: Iterable[str], replace: Replace, ending: str = "", *, bounded: bool = False
) -> str:
    lower = text.casefold()
    for each in sorted(spellings, key=len, reverse=True):
        if each.casefold() in lower:
            pattern = re.escape(each) + ending
            if bounded or len(each) < _SHORTEST:
                pattern = rf"(?<!\w){pattern}(?!\w)"
            text = re.sub(pattern, replace, text, flags=re.IGNORECASE)
    return text


def _squeezed(text: str) -> str:
    return _SIGNS.sub("", text).casefold()


def _spread(value: str) -> bool:
    return _SHORTEST_SPREAD <= len(_squeezed(value)) <= _LONGEST_SPREAD


@lru_cache(maxsize=256)
def _pattern(value: str) -> str:
    """Letters and digits with up to three signs between any two of them."""
    return r"\+?" + r"[\W_]{0,3}".join(map(re.escape, _SIGNS.sub("", value)))


@lru_cache(maxsize=256)
def _variants(value: str) -> frozenset[str]:
    """The identity as other programs and people spell it."""
    found = {value, _without_accents(value), quopri.encodestring(value.encode()).decode("ascii")}
    for encoding in ("latin-1", "cp1252"):
        found.add(unicodedata.normalize("NFKC", value.encode().decode(encoding, "replace")))
    if "@" in value:
        at = value.replace("@", " at ")
        found |= {at, at.replace(".", " dot ")}
    return frozenset(found)


def _without_accents(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


@lru_cache(maxsize=256)
def _codings(value: str) -> frozenset[str]:
    return frozenset(
        coded
        for spelt in {value, value.lower(), value.upper()}
        for data in (
            spelt.encode(),
            *(hashlib.new(name, spelt.encode(), usedforsecurity=False).digest() for name in _HASHES),
        )
        for coded in _in_ascii(data)
        if len(coded) > _SHORTEST
    )


def _in_ascii(data: bytes) -> Iterator[str]:
    text = b64encode(data).decode().rstrip("=")
    yield data.hex()
    yield text
    yield text.replace("+", "-").replace("/", "_")


@lru_cache(maxsize=256)
def _words(value: str) -> frozenset[str]:
    """What a text may name of an identity by itself."""
    words = value.split() if " " in value else value.split("@")[:1] if "@" in value else []
    return frozenset(word for word in words if len(_squeezed(word)) >= _SHORTEST_WORD)
