"""The bytes of a file as text, whatever program wrote them: UTF-8, UTF-16 or UTF-32, with any of the line breaks."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

# A longer line is no request; it would only fill the memory.
MAX_LINE_BYTES = 1024 * 1024


class TextLine(NamedTuple):
    """`text` is None where the bytes are no line of text, for the `reason`. `ended` is false for a last line
    without a line break."""

    number: int
    text: str | None
    reason: str | None
    ended: bool


class Found(NamedTuple):
    """What a reader finds on a line: the fields of a request, or the reason why there are none.

    `place` says where on the line, if one line holds several requests. `places` are what the identities are called in
    the file. With `whole_file`, nothing of the file was read.
    """

    number: int
    fields: dict[str, Any] | None
    reason: str | None = None
    place: str = ""
    places: tuple[str, ...] | None = None
    whole_file: bool = False


@dataclass(frozen=True)
class TextFile:
    """A file that can be read any number of times, each time in bounded memory."""

    encoding: str
    head: str
    """The beginning of the text, for a look at its format."""
    _open: Callable[[], Iterator[bytes]]

    def lines(self) -> Iterator[TextLine]:
        for number, data, ended in _lines(self._open()):
            line = data[:-1] if data.endswith(b"\r") else data
            if len(line) > MAX_LINE_BYTES:
                yield TextLine(number, None, f"longer than {MAX_LINE_BYTES} bytes", ended)
                continue
            try:
                yield TextLine(number, line.decode(), None, ended)
            except UnicodeDecodeError:
                yield TextLine(number, None, "not UTF-8 text; save the file as UTF-8", ended)

    def pieces(self) -> Iterator[str]:
        """The text in pieces of any size. Bytes that are no text become U+FFFD, which no request may hold."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for chunk in self._open():
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)


def text_file(open_: Callable[[], Iterator[bytes]]) -> TextFile:
    """The text of what `open_` gives, with line feeds between the lines."""
    first = next(open_(), b"")
    encoding, skip = _encoding(first)
    only_returns = b"\r" in first and b"\n" not in first and encoding == "UTF-8"

    def open_utf8() -> Iterator[bytes]:
        chunks = open_()
        start = next(chunks, b"")[skip:]
        if encoding != "UTF-8":
            return _transcoded(chain([start], chunks), encoding)
        if only_returns:  # as Excel for the Macintosh writes them
            return (chunk.replace(b"\r", b"\n") for chunk in chain([start], chunks))
        return chain([start], chunks)

    head = next(open_utf8(), b"").decode(errors="replace")
    return TextFile(encoding.removesuffix("-LE").removesuffix("-BE"), head, open_utf8)


def _encoding(first: bytes) -> tuple[str, int]:
    """The encoding and the length of the mark that says so. Of UTF-16 without one, every other byte is zero; of
    UTF-32, three of four."""
    for mark, encoding in ((codecs.BOM_UTF32_LE, "UTF-32-LE"), (codecs.BOM_UTF32_BE, "UTF-32-BE")):
        if first.startswith(mark):
            return encoding, 4
    if first.startswith(codecs.BOM_UTF8):
        return "UTF-8", 3
    if first.startswith(codecs.BOM_UTF16_LE):
        return "UTF-16-LE", 2
    if first.startswith(codecs.BOM_UTF16_BE):
        return "UTF-16-BE", 2
    if len(first) > 3 and first[0] != 0 == first[1] == first[2] == first[3]:
        return "UTF-32-LE", 0
    if len(first) > 3 and first[3] != 0 == first[0] == first[1] == first[2]:
        return "UTF-32-BE", 0
    if len(first) > 3 and first[1] == first[3] == 0 != first[0]:
        return "UTF-16-LE", 0
    if len(first) > 3 and first[0] == first[2] == 0 != first[1]:
        return "UTF-16-BE", 0
    return "UTF-8", 0


def _transcoded(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    only_returns: bool | None = None
    for chunk in chunks:
        text = decoder.decode(chunk)
        if only_returns is None:
            only_returns = "\r" in text and "\n" not in text
        yield (text.replace("\r", "\n") if only_returns else text).encode(errors="replace")
    yield decoder.decode(b"", final=True).encode(errors="replace")


def _lines(chunks: Iterator[bytes]) -> Iterator[tuple[int, bytes, bool]]:
    """The lines of `chunks` with their numbers. Of one that is too long, a little more than the limit is kept."""
    number, kept = 0, b""
    for chunk in chunks:
        pieces = chunk.split(b"\n")
        pieces[0] = kept + pieces[0]
        kept = pieces.pop()
        for piece in pieces:
            number += 1
            yield number, piece, True
        if len(kept) > MAX_LINE_BYTES + 2:
            kept = kept[: MAX_LINE_BYTES + 2]
    if kept:
        yield number + 1, kept, False
