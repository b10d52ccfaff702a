"""Requests in JSON: one object a line, or documents of any layout: one request, a list of them, Adobe's own body."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from adobe_privacy.intake.readers.adobe import (
    NO_USERS,
    body_fields,
    is_body,
    plain_identities,
    user_request,
    users_of,
)
from adobe_privacy.intake.readers.text import MAX_LINE_BYTES, Found, TextFile
from adobe_privacy.storage.store import READ_SIZE

TWICE = "a name is there twice in one object"


def read_json(text: TextFile, note: Callable[[str], None]) -> Iterator[Found]:
    """The requests of a JSON file. `note` is told what the file was taken for."""
    if is_document(text.head):
        note(f"JSON document, {text.encoding}")
        yield from _Document(text).requests()
    else:
        note(f"JSON lines, {text.encoding}")
        yield from _read_lines(text)


def is_document(head: str) -> bool:
    """Whether a file that begins so is a document, and not one object a line."""
    # Each of several files that were put together may begin with a mark.
    stripped = (line.strip().removeprefix("\ufeff") for line in head.split("\n", 50))
    lines = [line for line in stripped if line]
    if not lines:
        return False
    if lines[0].startswith("["):
        return True
    try:
        json.loads(lines[0])
    except (ValueError, RecursionError):
        # A line that is no JSON: the first of a document, or the first faulty one of many.
        if not lines[0].startswith("{"):
            return False
        if len(lines) == 1:
            return lines[0].endswith("{") or ("\n" not in head and len(head) >= READ_SIZE // 4)
        # `[` and `:` may stand before an object in a document, `{` and `,` may not: a line was cut off there.
        return lines[0][-1] in "[:" or not lines[1].startswith("{")
    return False


class _Decoder:
    """Decodes JSON and sees names that are in an object twice: which of them is meant is not guessed."""

    def __init__(self) -> None:
        self.twice = False
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)
        self.decode, self.raw_decode = self._decoder.decode, self._decoder.raw_decode

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            self.twice = True
        return found

    def was_twice(self) -> bool:
        """Whether a name was there twice since this was last asked."""
        twice, self.twice = self.twice, False
        return twice


def _read_lines(text: TextFile) -> Iterator[Found]:
    decoder = _Decoder()
    decode = decoder.decode
    for number, line, reason, _ in text.lines():
        if line is None:
            yield Found(number, None, reason)
            continue
        line = line.strip().removeprefix("\ufeff")
        if not line:
            continue
        try:
            value = decode(line)
        except (ValueError, RecursionError) as error:
            at = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            decoder.was_twice()
            yield Found(number, None, f"not JSON{at}")
            continue
        if decoder.was_twice():
            yield Found(number, None, TWICE)
        elif not isinstance(value, dict):
            yield Found(number, None, "not a JSON object")
        elif is_body(value):
            yield from users_of(number, value)
        else:
            yield Found(number, plain_identities(value))


class _Broken(ValueError):
    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


class _Document:
    """Reads documents value by value, so that their length does not matter."""

    def __init__(self, text: TextFile) -> None:
        self._text = text
        self._start()

    def _start(self) -> None:
        self._pieces = self._text.pieces()
        self._decoder = _Decoder()
        self._buffer, self._at, self._line = "", 0, 1
        self._gone = 0  # characters before the buffer

    def requests(self) -> Iterator[Found]:
        try:
            while self._peek():
                yield from self._value_at_top()
        except _Broken as error:
            yield Found(error.line, None, f"{error}; nothing from here on was read")

    def _value_at_top(self) -> Iterator[Found]:
        opening = self._peek()
        if opening == "[":
            for index, (line, value, twice) in enumerate(self._items(), 1):
                yield from self._found(line, value, f"item {index}", twice=twice)
        elif opening == "{":
            yield from self._object()
        else:
            raise _Broken(self._line, "not JSON, or not an object or a list")

    def _found(self, line: int, value: object, place: str, *, twice: bool) -> Iterator[Found]:
        if twice:
            yield Found(line, None, TWICE, place)
        elif not isinstance(value, dict):
            yield Found(line, None, "not a JSON object", place)
        elif is_body(value):
            yield from users_of(line, value)
        else:
            yield Found(line, plain_identities(value), place=place)

    def _object(self) -> Iterator[Found]:
        """A request, or Adobe's body: its users may be many, and come before what they have in common. So the body is
        read once for that, and once more for the users."""
        line, start = self._line, self._gone + self._at
        fields: dict[str, Any] = {}
        twice = False
        for name in self._names():
            twice = twice or name in fields
            if name == "users" and self._peek() == "[":
                fields[name] = [""] if sum(1 for _ in self._items()) else []
            else:
                _, fields[name], inner = self._value()
                twice = twice or inner
        if not is_body(fields):
            yield from self._found(line, fields, "", twice=twice)
            return
        common = TWICE if twice else body_fields(fields)
        if isinstance(common, str):
            yield Found(line, None, common, whole_file=True)
        elif not isinstance(fields["users"], list) or not fields["users"]:
            yield Found(line, None, NO_USERS)
        else:
            self._go_to(start)
            yield from self._users(common)

    def _users(self, common: dict[str, Any]) -> Iterator[Found]:
        for name in self._names():
            if name != "users":
                self._value()
                continue
            for index, (line, user, twice) in enumerate(self._items(), 1):
                place = f"user {index}"
                yield Found(line, None, TWICE, place) if twice else user_request(line, index, user, common)

    # -- the text -----------------------------------------------------------------------------------------

    def _go_to(self, place: int) -> None:
        """Goes to that character of the text."""
        self._start()
        while self._gone + len(self._buffer) < place:
            self._advance(len(self._buffer))
            if not self._fill():
                break
        self._advance(place - self._gone)

    def _names(self) -> Iterator[str]:
        """The names of an object, each time with the text at its value."""
        self._expect("{")
        if self._peek() == "}":
            self._expect("}")
            return
        while True:
            if self._peek() != '"':
                raise _Broken(self._line, "not JSON: a name in quotation marks is missing")
            name = str(self._value()[1])
            self._expect(":")
            yield name
            if self._peek() != ",":
                break
            self._expect(",")
        self._expect("}")

    def _items(self) -> Iterator[tuple[int, Any, bool]]:
        self._expect("[")
        if self._peek() == "]":
            self._expect("]")
            return
        while True:
            yield self._value()
            if self._peek() != ",":
                break
            self._expect(",")
        self._expect("]")

    def _value(self) -> tuple[int, Any, bool]:
        """The next value, the line on which it begins, and whether a name is there twice in it."""
        self._peek()
        line = self._line
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except RecursionError:
                raise _Broken(line, "not JSON: too deep") from None
            except json.JSONDecodeError as error:
                self._decoder.was_twice()
                if len(self._buffer) - self._at > MAX_LINE_BYTES:
                    raise _Broken(line, f"not JSON, or a value longer than {MAX_LINE_BYTES} bytes") from None
                if not self._fill():
                    wrong = line + self._buffer.count("\n", self._at, error.pos)
                    raise _Broken(wrong, "not JSON") from None
                continue
            except ValueError:  # a number of more digits than Python reads
                raise _Broken(line, "not JSON: a number is too long") from None
            # A number may go on beyond what was read.
            if end == len(self._buffer) and isinstance(value, int | float) and self._fill():
                continue
            self._advance(end)
            return line, value, self._decoder.was_twice()

    def _peek(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            while self._at < len(self._buffer):
                char = self._buffer[self._at]
                if char not in " \t\r\n":
                    return char
                self._line += char == "\n"
                self._at += 1
            if not self._fill():
                return ""

    def _expect(self, char: str) -> None:
        if self._peek() != char:
            raise _Broken(self._line, f"not JSON: {char} is missing")
        self._at += 1

    def _advance(self, to: int) -> None:
        self._line += self._buffer.count("\n", self._at, to)
        self._at = to

    def _fill(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._gone += self._at
        self._buffer, self._at = self._buffer[self._at :] + piece, 0
        return True
