"""Requests in a table: one a row, one column per field and identity, as spreadsheets write them."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterator

from adobe_privacy.intake.readers.headings import Headings, is_heading, read_headings, recognised
from adobe_privacy.intake.readers.text import Found, TextFile, TextLine
from adobe_privacy.intake.request import is_action
from adobe_privacy.regulations.codes import AmbiguousRegulation, UnknownRegulation, canonical_regulation

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
# `|` where a file says so itself; no row can then name several actions.
_SAID = {*SEPARATORS, "|"}
# A quoted cell may hold line breaks, and a quotation mark may be left open: then it costs its own line only.
MAX_LINES_OF_A_ROW = 20
OTHER_HEADINGS = "other headings than the first line's, as of a second table; nothing from here on was read"
_LIKE_ONE_ROW = (
    "lines {0} to {1} look like one row, torn by a line break in a cell: write it on one line. If they are not one "
    "row, end line {0} with a separator for each empty cell, or remove the other lines"
)
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[;,\t]*', re.IGNORECASE)


def read_table(text: TextFile, note: Callable[[str], None]) -> Iterator[Found]:
    """The requests of a table. `note` is told what the file was taken for."""
    table = _Rows(text.lines())
    rows = iter(table)
    first = next(rows, None)
    if first is None:
        return
    line, cells, reason = first
    # What is wrong with the first line is wrong with the file.
    headings = f"{reason}; no line of this file was read" if cells is None else read_headings(cells)
    if isinstance(headings, str):
        yield Found(line.number, None, headings, whole_file=True)
        return
    id_at = headings.id_at
    separator = SEPARATORS.get(table.separator, table.separator)
    note(f"table, separator {separator}, {text.encoding}; columns: {headings.in_words()}")
    for line, cells, reason in _untorn(rows, headings):
        if cells is None:
            yield Found(line.number, None, reason)
        elif any(cell.strip() for cell in cells):
            if id_at < len(cells) and is_heading(cells[id_at]):
                if read_headings(cells) == headings:
                    continue
                yield Found(line.number, None, OTHER_HEADINGS)
                return
            yield _request(line, cells, headings)


def _untorn(rows: Iterator[_Row], headings: Headings) -> Iterator[_Row]:
    """The rows. Lines that a line break without quotation marks seems to have made of one are told as one that cannot
    be read: its beginning could pass for a request without its last cells. A tear in the last named column is not
    seen, nor one whose end lacks cells too."""
    parts: list[_Row] = []
    width = 0
    for row in rows:
        line, cells, _ = row
        if 0 < len(parts) < MAX_LINES_OF_A_ROW and cells and _goes_on(cells, width, headings):
            parts.append(row)
            width += len(cells) - 1
            if width >= headings.named_width:
                yield parts[0][0], None, _LIKE_ONE_ROW.format(parts[0][0].number, line.number)
                parts = []
            continue
        yield from parts
        parts = []
        if cells and len(cells) < headings.named_width and _begins(cells, headings):
            parts, width = [row], len(cells)
        else:
            yield row
    yield from parts


def _goes_on(cells: list[str], width: int, headings: Headings) -> bool:
    """Whether cells can be the end of a row that has so many cells without them."""
    # Empty cells may follow the last that has a heading.
    last = max((index for index, cell in enumerate(cells) if cell.strip()), default=None)
    return (
        last is not None
        and len(cells) < headings.width
        and width + last <= headings.named_width
        and not _begins(cells, headings)
    )


def _begins(cells: list[str], headings: Headings) -> bool:
    """Whether cells begin a row: a known regulation, a known action or a heading is at its place. A request id proves
    nothing: the end of a cell may look like one."""
    for index, name in (*headings.fields, *headings.lists):
        cell = cells[index].strip() if index < len(cells) else ""
        if name == "request_id" and is_heading(cell):
            return True
        if name == "regulation" and _is_regulation(cell):
            return True
        if name == "actions" and any(map(is_action, cell.split("|"))):
            return True
    return False


def _is_regulation(cell: str) -> bool:
    try:
        canonical_regulation(cell)
    except AmbiguousRegulation:
        return True
    except UnknownRegulation:
        return False
    return True


def _request(line: TextLine, cells: list[str], headings: Headings) -> Found:
    count = len(cells)
    if not line.ended:
        reason = "the last line has no line break: is the file complete? Add one if it is"
        return Found(line.number, None, reason)
    if count > headings.width or headings.nameless:
        for index in range(count):
            if (index >= headings.width or index in headings.nameless) and cells[index].strip():
                return Found(line.number, None, f"column {index + 1}: a cell without a heading")
    fields: dict[str, object] = {
        name: cells[index].strip() for index, name in headings.fields if index < count
    }
    for name in headings.options:
        if not fields.get(name):  # an empty cell says nothing
            fields.pop(name, None)
    for index, name in headings.lists:
        if index < count:
            parts = [part.strip() for part in cells[index].split("|")]
            # A cell that holds separators only says something that nobody can know.
            fields[name] = [part for part in parts if part] or (parts if len(parts) > 1 else [])
    identities: list[dict[str, str]] = []
    places: list[str] = []
    for index, namespace, type_, place in headings.identities:
        if index < count and (value := cells[index].strip()):
            identities.append({"namespace": namespace, "value": value, "type": type_})
            places.append(place)
    fields["identities"] = identities
    return Found(line.number, fields, places=tuple(places))


_Row = tuple[TextLine, list[str] | None, str | None]
"""Its first line, and its cells or why there are none."""


class _Rows:
    """The rows of a table with the line at which each begins, without blank lines; the separator is found out from
    the first."""

    def __init__(self, lines: Iterator[TextLine]) -> None:
        self._lines = lines
        self._back: deque[TextLine] = deque()
        self.separator = ""

    def __iter__(self) -> Iterator[_Row]:
        while (line := self._next()) is not None:
            if line.text is None:
                yield line, None, line.reason
            elif not line.text.strip():
                continue
            elif not self.separator and (given := _SEPARATOR_LINE.fullmatch(line.text.strip(" \r"))):
                self.separator = given.group(1)
                if self.separator not in _SAID:
                    yield line, None, "the separator that sep= names is none of comma, semicolon, tab and |"
            else:
                self.separator = self.separator or _separator(line.text)
                yield self._row(line, line.text)

    def _next(self) -> TextLine | None:
        return self._back.popleft() if self._back else next(self._lines, None)

    def _row(self, line: TextLine, text: str) -> _Row:
        if '"' not in text:
            return line, text.split(self.separator), None
        cells = self._cells(text)
        if cells is not None or self._complete:
            return (line, cells, None) if cells else (line, None, "not CSV: a quotation mark is misplaced")
        taken: list[TextLine] = []
        whole = text
        while not self._complete and len(taken) < MAX_LINES_OF_A_ROW:
            more = self._next()
            if more is None:
                break
            taken.append(more)
            if more.text is None:
                break
            whole += f"\n{more.text}"
            cells = self._cells(whole)
        if cells is None:
            self._back.extendleft(reversed(taken))
            return line, None, "not CSV: is a quotation mark left open?"
        if any(re.search(r"[\r\n]", cell.strip()) for cell in cells):
            until = f"lines {line.number} to {taken[-1].number}"
            return line, None, f"{until} are one row, with a line break within a cell"
        return line._replace(ended=taken[-1].ended), cells, None

    def _cells(self, text: str) -> list[str] | None:
        """The cells of a row; None where it is none, `_complete` or still within quotation marks."""
        self._complete = True
        try:
            return next(csv.reader([text], strict=True, delimiter=self.separator))
        except csv.Error as error:
            self._complete = "unexpected end of data" not in str(error)
            return None


def _separator(first: str) -> str:
    """That which makes most known headings of the first line."""

    def known(separator: str) -> int:
        return sum(recognised(cell.strip(' "')) for cell in first.split(separator))

    return max(SEPARATORS, key=known)
