"""Reads the inbox: one folder a day, with files as people have them, in bounded memory.

A line that cannot be used is reported under `rejected/` beside its file, with its number and the reason, and stops
no other line. Nothing of a line is quoted there but a request id that is fit to be a name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from urllib.parse import quote

from adobe_privacy.intake.readers.documents import read_json
from adobe_privacy.intake.readers.tables import read_table
from adobe_privacy.intake.readers.text import Found, text_file
from adobe_privacy.intake.request import PrivacyRequest, UnusableRequest, parse_request
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.storage import AccessDenied, ObjectNotFound, StorageError, Store

JSON_LINES = (".jsonl", ".ndjson")
JSON_KINDS = (*JSON_LINES, ".json")
TABLE_KINDS = (".csv", ".tsv")
*_FIRST, _LAST = (f"*{kind}" for kind in (*TABLE_KINDS, *JSON_KINDS))
KINDS = f"{', '.join(_FIRST)} and {_LAST}"
EMPTY = "the file is empty: was it handed in whole?"
# So many rejected lines a report holds; of a file with more, it is the file that is wrong.
MAX_REPORTED = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """One request of a file, or the reason why a line is none. `number` is the line's, where it begins."""

    source: str
    number: int
    request: PrivacyRequest | None = None
    reason: str | None = None
    request_id: str | None = None
    whole_file: bool = False  # the reason is about all of the file: nothing of it was read
    places: tuple[str, ...] | None = None  # what the request's identities are called in the file
    actions: tuple[str, ...] = ()  # what a line asks for that is no request, as far as that can be said


# What files of requests are called after. Two words beside these, or one with a capital, may be a person's name.
_WORDS = frozenset(
    """
    access adobe all analytics and anfrage anfragen apac application april august auskunft batch body book campaign ccpa
    copy csv customer customers daily data datei day days december delete deletes deletion deletions dsar dsars dsr dsrs
    emea erasure excel experience export exports february file files final for form forms friday from gdpr inbox intake
    january jira json jsonl july june kopie late latam legal lgpd list march marketo monday month monthly ndjson new
    november october old onetrust opt optout optouts out page part platform privacy request requests sale salesforce
    sample saturday september servicenow sheet sunday table target test text thursday trustarc tsv tuesday unicode
    upload version wednesday web week weekly zendesk aug dec feb jan jul jun mar may nov oct sep
    """.split()  # noqa: SIM905
)
_WORD = re.compile(r"[A-ZÀ-ÖØ-Þ]?[^\W\d_A-ZÀ-ÖØ-Þ]+|[^\W\d_]+")
_LONG_NUMBER = re.compile(r"(?<!\d)(?!(?:19|20)\d\d)\+?\d(?:[ ._()/-]?\d){8,}")


def shown_name(source: str, key: str) -> str:
    """A file's name as it may be shown. That of a file which holds no requests may be anything, a person's too; so may
    one with an @, a long number or words that are not about requests. Such a file is shown by a part of its keyed hash
    and its ending."""
    name = source.split("/", 1)[1]
    if is_request_file(name) and name.isprintable() and len(name) <= 150 and not _may_be_a_persons(name):
        return name
    ending = re.search(r"\.[A-Za-z0-9]{1,8}$", name)
    return f"{_HIDDEN}{key[:8]}{ending[0].lower() if ending else ''}"


_HIDDEN = "file-"


# As the page names what is handed in there.
_OURS = re.compile(r"page-[0-9a-f]{24}\.\w+")


def _may_be_a_persons(name: str) -> bool:
    if _OURS.fullmatch(name):
        return False
    words = [word for word in _WORD.findall(name.rsplit(".", 1)[0]) if len(word) > 2]
    other = [word for word in words if word.lower() not in _WORDS]
    named = len(other) > 1 or any(word[0].isupper() and not word.isupper() for word in other)
    return named or "@" in name or _LONG_NUMBER.search(name) is not None


class Reading:
    """Every request of one file, in order. Iterate once.

    `taken_for` says what the file was taken for, once the first line is there.
    """

    def __init__(
        self,
        source: str,
        open_: Callable[[], Iterator[bytes]],
        day: date,
        wanted: Collection[str] | None = None,
    ) -> None:
        self.taken_for = ""
        self._source, self._open, self._day, self._wanted = source, open_, day, wanted

    def _note(self, taken_for: str) -> None:
        self.taken_for = taken_for

    def __iter__(self) -> Iterator[Line]:
        read = read_table if self._source.lower().endswith(TABLE_KINDS) else read_json
        text = text_file(self._open)
        nothing = True
        for found in read(text, self._note):
            nothing = False
            if found.fields is None:
                yield _refused(self._source, found, found.reason or "")
            elif self._wanted is None or str(found.fields.get("request_id")).strip() in self._wanted:
                try:
                    request = parse_request(found.fields, self._day, found.places)
                except UnusableRequest as error:
                    yield _refused(self._source, found, str(error), error)
                else:
                    yield Line(self._source, found.number, request, places=found.places)
        # Of lines there may be none. A table has headings, and a document a value.
        blank = not text.head.strip() and not self._source.lower().endswith(JSON_LINES)
        if nothing and (blank or not self.taken_for):
            yield _refused(self._source, Found(1, None, whole_file=True), EMPTY)


def _refused(source: str, found: Found, reason: str, error: UnusableRequest | None = None) -> Line:
    told = f"{found.place}: {reason}" if found.place else reason
    line = Line(source, found.number, reason=told, whole_file=found.whole_file)
    return line if error is None else replace(line, request_id=error.request_id, actions=error.actions)


def is_request_file(name: str) -> bool:
    """Whether a file of this name is read."""
    return name.lower().endswith(JSON_KINDS + TABLE_KINDS)


def files_of(store: Store, day: date) -> tuple[list[str], list[str]]:
    """The day's request files, relative to the inbox, and the other files that lie beside them, but for hidden ones
    and markers that hold nothing, such as `_SUCCESS`."""
    visible = [entry for entry in store.objects_directly_in(f"{day:%Y-%m-%d}") if "/." not in entry.key]
    requests = [entry.key for entry in visible if is_request_file(entry.key)]
    return requests, [entry.key for entry in visible if entry.size and not is_request_file(entry.key)]


def read_file(store: Store, source: str, wanted: Collection[str] | None = None) -> Reading:
    """The requests of one file of the inbox. The file's folder gives the date where a line has none.

    `wanted` passes over lines with another request id unread, which is much faster.
    """
    day = date.fromisoformat(source.split("/", 1)[0])
    return Reading(source, lambda: store.chunks(source), day, wanted)


def find_requests(store: Store, source: str, wanted: Collection[str]) -> Iterator[PrivacyRequest]:
    """The usable requests of one file whose ids are wanted, as the file holds them now; none where the file
    is gone."""
    try:
        for line in read_file(store, source, wanted):
            if line.request is not None:
                yield line.request
    except ObjectNotFound:
        return


def real_name(source: str, store: Store, ledger: Ledger) -> str:
    """The file that the ledger knows as `source`."""
    folder, name = source.split("/", 1)
    if name.startswith(_HIDDEN):
        for info in store.objects_directly_in(folder):
            if shown_name(info.key, file_key(info.key, ledger)) == name:
                return info.key
    return source


@contextmanager
def as_shown(source: str, shown: str) -> Iterator[None]:
    """An error of the store names the file as it may be shown."""
    try:
        yield
    except StorageError as error:
        if source == shown:
            raise
        text, uri = str(error), error.uri
        for name in (source.split("/", 1)[1], quote(source.split("/", 1)[1])):
            text, uri = (each.replace(name, shown.split("/", 1)[1]) for each in (text, uri))
        raise type(error)(text, uri=uri) from None


def file_key(source: str, ledger: Ledger) -> str:
    """A keyed hash of a file's name."""
    return ledger.intake.fingerprint(source.encode("utf-8", "surrogateescape"))


def report_key(source: str) -> str:
    """Where the report of a file's unusable lines lies."""
    folder, name = source.split("/", 1)
    # `requests.csv`, `requests.csv.jsonl` and `requests.jsonl` may lie beside each other.
    stem = name.lower().removesuffix(".jsonl")
    is_plain = name.lower().endswith(".jsonl") and not is_request_file(stem)
    return f"{folder}/rejected/{name if is_plain else f'{name}.jsonl'}"


def write_rejected(store: Store, source: str, rejected: Iterable[Line]) -> int:
    """Writes the report of one file's unusable lines; without any, removes an older report. Returns how many.
    Raises AccessDenied, after all were read, where the inbox may only be read, or its
    folder of reports is a link.

    Only the report's text is kept in memory, not the lines, and of that no more than `MAX_REPORTED` lines.
    """
    name, key = source.split("/", 1)[1], report_key(source)
    report = bytearray()
    count = 0
    for line in rejected:
        count += 1
        if count > MAX_REPORTED:
            continue
        row = {"file": name, "line": line.number, "reason": line.reason}
        if line.request_id:
            row["request_id"] = line.request_id
        report += json.dumps(row, ensure_ascii=False).encode() + b"\n"
    if count > MAX_REPORTED:
        row = {"file": name, "line": 0, "reason": f"and {count - MAX_REPORTED} more lines"}
        report += json.dumps(row).encode() + b"\n"
    if report:
        _no_link(store, key)
        store.write(key, bytes(report))
    else:
        delete_report(store, source)
    return count


def delete_report(store: Store, source: str) -> None:
    """Raises AccessDenied where the folder of reports is a link."""
    key = report_key(source)
    _no_link(store, key)
    store.delete(key)


def _no_link(store: Store, key: str) -> None:
    """What a link leads to is not ours: in another day's folder, a report would replace requests."""
    folder = key.rpartition("/")[0]
    if store.location.scheme == "file" and Path(store.location.prefix, folder).is_symlink():
        raise AccessDenied(
            f"{folder} is a link: put a folder in its place, or remove it",
            uri=store.location.object_uri(folder),
        )
