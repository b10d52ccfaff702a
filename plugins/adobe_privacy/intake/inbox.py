"""Reads the inbox: one folder a day, `*.jsonl` and `*.csv` files, line by line in bounded memory.

A line that cannot be used is reported under `rejected/` beside its file, with its number and the reason, and stops
no other line. Nothing of a line is quoted there but a request id that is fit to be a name.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from adobe_privacy.intake.request import PrivacyRequest, UnusableRequest, parse_request
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job
from adobe_privacy.storage import Line as StoredLine
from adobe_privacy.storage import ObjectNotFound, Store

# A longer line is no request; it would only fill the memory.
MAX_LINE_BYTES = 1024 * 1024
CSV_FIELDS = ("request_id", "regulation", "actions", "received_at", "products")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: a request, or the reason why it is none."""

    source: str
    number: int
    request: PrivacyRequest | None = None
    reason: str | None = None
    request_id: str | None = None
    whole_file: bool = False  # the reason is about all of the file: nothing of it was read


def shown_name(source: str, key: str) -> str:
    """A file's name as it may be shown. That of a file which holds no requests may be anything, a person's too, and so
    may one with an @: such a file is shown by a part of its keyed hash and its ending."""
    name = source.split("/", 1)[1]
    if _is_request_file(name) and name.isprintable() and "@" not in name and len(name) <= 150:
        return name
    ending = re.search(r"\.[A-Za-z0-9]{1,8}$", name)
    return f"file-{key[:8]}{ending[0].lower() if ending else ''}"


def files_of(store: Store, day: date) -> tuple[list[str], list[str]]:
    """The day's request files, relative to the inbox, and the other files that lie beside them, but for hidden ones
    and markers that hold nothing, such as `_SUCCESS`."""
    visible = [entry for entry in store.objects_directly_in(f"{day:%Y-%m-%d}") if "/." not in entry.key]
    requests = [entry.key for entry in visible if _is_request_file(entry.key)]
    return requests, [entry.key for entry in visible if entry.size and not _is_request_file(entry.key)]


def read_file(store: Store, source: str, wanted: Collection[str] | None = None) -> Iterator[Line]:
    """Every line of one file, in order. The file's folder gives the date where a line has none.

    `wanted` passes over lines with another request id unread, which is much faster.
    """
    day = date.fromisoformat(source.split("/", 1)[0])
    lines = _text_lines(store.lines(source, MAX_LINE_BYTES))
    read = _read_csv if _is_csv(source) else _read_json_lines
    for found in read(source, lines):
        if isinstance(found, Line):
            yield found
        elif wanted is None or str(found.fields.get("request_id")).strip() in wanted:
            yield _usable(source, found.number, day, found.fields)


def find_requests(store: Store, source: str, wanted: Collection[str]) -> Iterator[PrivacyRequest]:
    """The usable requests of one file whose ids are wanted, as the file holds them now; none where the file
    is gone."""
    try:
        for line in read_file(store, source, wanted):
            if line.request is not None:
                yield line.request
    except ObjectNotFound:
        return


def requests_of(jobs: Sequence[Job], store: Store, ledger: Ledger) -> dict[str, PrivacyRequest]:
    """The requests of the ledger's jobs by id, as far as the inbox still holds what was taken in."""
    prints = {job.request_id: job.fingerprint for job in jobs}
    found: dict[str, PrivacyRequest] = {}
    for source in sorted({job.source for job in jobs}):
        wanted = {job.request_id for job in jobs if job.source == source}
        for request in find_requests(store, source, wanted):
            if ledger.intake.fingerprint(request.content()) == prints[request.request_id]:
                found[request.request_id] = request
                wanted.discard(request.request_id)
                if not wanted:
                    break
    return found


def write_rejected(store: Store, source: str, rejected: Iterable[Line]) -> int:
    """Writes the report of one file's unusable lines; without any, removes an older report. Returns how many.
    Raises AccessDenied, after all were read, where the inbox may only be read.

    Only the report's text is kept in memory, not the lines.
    """
    folder, name = source.split("/", 1)
    # `requests.csv` and `requests.csv.jsonl` may lie beside each other.
    is_plain = not source.lower().endswith((".csv", ".csv.jsonl"))
    key = f"{folder}/rejected/{name if is_plain else f'{name}.jsonl'}"
    report = bytearray()
    count = 0
    for line in rejected:
        row = {"file": name, "line": line.number, "reason": line.reason}
        if line.request_id:
            row["request_id"] = line.request_id
        report += json.dumps(row, ensure_ascii=False).encode() + b"\n"
        count += 1
    if report:
        store.write(key, bytes(report))
    else:
        store.delete(key)
    return count


def _is_request_file(source: str) -> bool:
    return source.lower().endswith((".jsonl", ".csv"))


def _is_csv(source: str) -> bool:
    return source.lower().endswith(".csv")


@dataclass(frozen=True, slots=True)
class _Fields:
    """A line that could be taken apart."""

    number: int
    fields: dict[str, object]


@dataclass(frozen=True, slots=True)
class _Text:
    number: int
    text: str | None  # None where the bytes are no line of text
    reason: str | None = None


def _text_lines(lines: Iterable[StoredLine]) -> Iterator[_Text]:
    for number, data, complete in lines:
        if not complete:
            yield _Text(number, None, f"longer than {MAX_LINE_BYTES} bytes")
            continue
        try:
            yield _Text(number, (data.removeprefix(codecs.BOM_UTF8) if number == 1 else data).decode())
        except UnicodeDecodeError:
            yield _Text(number, None, "not UTF-8 text")


def _usable(source: str, number: int, day: date, fields: dict[str, object]) -> Line:
    try:
        return Line(source, number, parse_request(fields, day))
    except UnusableRequest as error:
        return Line(source, number, reason=str(error), request_id=error.request_id)


def _read_json_lines(source: str, lines: Iterator[_Text]) -> Iterator[_Fields | Line]:
    for line in lines:
        if line.text is None:
            yield Line(source, line.number, reason=line.reason)
        elif line.text.strip():
            try:
                fields = json.loads(line.text)
            except (ValueError, RecursionError) as error:
                at = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
                yield Line(source, line.number, reason=f"not JSON{at}")
                continue
            if isinstance(fields, dict):
                yield _Fields(line.number, fields)
            else:
                yield Line(source, line.number, reason="not a JSON object")


def _read_csv(source: str, lines: Iterator[_Text]) -> Iterator[_Fields | Line]:
    header: list[str] | None = None
    for line in lines:
        if line.text is not None and not line.text.strip():
            continue
        cells = _cells(line.text)
        if header is None:
            header = [cell.strip() for cell in cells or ()]
            if problem := _header_problem(header):
                yield Line(source, line.number, reason=problem, whole_file=True)
                return
        elif cells is None:
            reason = line.reason or "not CSV: is a quotation mark left open?"
            yield Line(source, line.number, reason=reason)
        elif len(cells) > len(header):
            yield Line(source, line.number, reason=f"{len(cells)} cells under {len(header)} headings")
        else:
            yield _Fields(line.number, _csv_fields(header, cells))


def _cells(text: str | None) -> list[str] | None:
    try:
        # One record a line: a quote left open must cost its own line only.
        return next(csv.reader([text], strict=True)) if text is not None else None
    except csv.Error:
        return None


def _header_problem(header: list[str]) -> str | None:
    missing = [name for name in ("request_id", "regulation", "actions") if name not in header]
    if missing:
        return (
            f"the first line lacks the heading {', '.join(missing)}; no line of this file was read. "
            "Headings: request_id,regulation,actions,received_at,products and one per namespace"
        )
    if "" in header or len(set(header)) != len(header):
        return "a heading is empty or there twice; no line of this file was read"
    return None


def _csv_fields(header: list[str], cells: list[str]) -> dict[str, object]:
    fields: dict[str, object] = {}
    identities: list[dict[str, str]] = []
    for name, cell in zip(header, cells, strict=False):
        values = [value.strip() for value in cell.split("|") if value.strip()]
        if name in ("actions", "products"):
            fields[name] = values
        elif name in CSV_FIELDS:
            fields[name] = cell.strip()
        else:
            namespace, _, kind = name.partition(":")
            identities += [
                {"namespace": namespace, "value": value} | ({"type": kind} if kind else {})
                for value in values
            ]
    return fields | {"identities": identities}
