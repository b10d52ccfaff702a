"""Which files a run reads: each once, when it is complete, whatever day it arrives."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from adobe_privacy.intake.files import files_to_read
from adobe_privacy.intake.found_again import requests_of
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.planning.planning import Plan, PlanSettings, plan_day
from adobe_privacy.reporting.run_report import plan_lines, settle
from adobe_privacy.storage import (
    AccessDenied,
    ObjectNotFound,
    StorageError,
    StorageUnavailable,
    Store,
    open_store,
)
from tests.storage.servers import S3Server, s3_server
from tests.support.inbox import deny, line, put
from tests.support.ledgers import DAY

NEXT = DAY + timedelta(days=1)


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if getattr(request, "param", "file") == "s3":
        return request.getfixturevalue("s3").store()  # type: ignore[no-any-return]
    (tmp_path / "inbox").mkdir()
    return open_store(f"file://{tmp_path}/inbox")


def plan(inbox: Store, ledger: Ledger, day: date = DAY, **settings: Any) -> Plan:
    return plan_day(inbox, ledger, day=day, run_id=f"run {day}", settings=PlanSettings(**settings))


def test_a_file_that_arrives_after_its_days_run_goes_with_the_next(inbox: Store, ledger: Ledger) -> None:
    put(inbox, line(1))
    plan(inbox, ledger)
    put(inbox, line(2), name="second.jsonl")
    late = plan(inbox, ledger, NEXT)
    assert late.intake.late == [f"{DAY}/second.jsonl"]
    assert [planned.content.jobs for planned in late.batches] == [1]
    [job] = ledger.people.request_jobs("DSR-2")
    assert job.inbox_date == DAY
    assert any("folders of earlier days: 2026-11-20" in text for text in plan_lines(late))
    figures = settle(ledger, run_id=f"run {NEXT}", inbox_date=NEXT).figures
    assert "1 of them of other days (2026-11-20)" in figures
    assert plan(inbox, ledger, NEXT + timedelta(days=1)).intake.files == [], "and is read once"


def test_a_late_file_with_a_bad_line_fails_the_run_that_reads_it(inbox: Store, ledger: Ledger) -> None:
    plan(inbox, ledger)
    put(inbox, line(1), "junk")
    plan(inbox, ledger, NEXT)
    for day in (DAY, NEXT):
        assert settle(ledger, run_id=f"run {day}", inbox_date=day).problems >= 1


def test_folders_of_45_days_are_looked_at_and_none_by_a_backfill(inbox: Store, ledger: Ledger) -> None:
    for ago in (44, 45, 46):
        put(inbox, line(ago), day=NEXT - timedelta(days=ago))
    assert plan(inbox, ledger, NEXT, late_days=0).intake.files == []
    assert plan(inbox, ledger, NEXT).intake.new == 2


def test_an_unchanged_file_is_not_opened_again(
    inbox: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox, line(1))
    plan(inbox, ledger)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "chunks", lambda *_: pytest.fail("it was opened"))
        again = plan(inbox, ledger).intake
        plan(inbox, ledger, NEXT)
    assert (again.files, again.unchanged) == ([], 1)
    put(inbox, line(1), line(2))
    assert plan(inbox, ledger).intake.new == 1


def test_a_day_that_is_run_again_reads_its_rejected_lines_again(inbox: Store, ledger: Ledger) -> None:
    """What was missing was a setting, not something in the file."""
    put(inbox, json.dumps(json.loads(line(1)) | {"products": []}))
    assert plan(inbox, ledger).intake.rejected == 1
    assert plan(inbox, ledger, default_products=("analytics",)).intake.new == 1
    assert (
        settle(ledger, run_id=f"run {DAY}", inbox_date=DAY).figures.partition("; ")[0]
        == "1 jobs (1 access): 1 not submitted yet"
    )


def test_a_file_that_grows_is_left_to_the_next_run(inbox: Store, ledger: Ledger) -> None:
    put(inbox, line(1))
    put(inbox, line(2), name="whole.jsonl")

    def somebody_writes(_: float) -> None:
        put(inbox, line(1), line(3))

    found = files_to_read(inbox, ledger, DAY, late_days=0, sleep=somebody_writes)
    assert [entry.source for entry in found.requests] == [f"{DAY}/whole.jsonl"]
    assert found.growing == 1


def test_an_old_file_is_looked_at_once(inbox: Store, ledger: Ledger, tmp_path: Path) -> None:
    put(inbox, line(1))
    path = tmp_path / "inbox" / str(DAY) / "r.jsonl"
    os.utime(path, (path.stat().st_mtime - 61,) * 2)
    found = files_to_read(inbox, ledger, DAY, late_days=45, sleep=lambda _: pytest.fail("no need"))
    assert len(found.requests) == 1


def test_a_manual_run_is_told_of_later_folders(inbox: Store, ledger: Ledger) -> None:
    put(inbox, line(1), day=NEXT)
    told = plan(inbox, ledger, look_later=True)
    assert told.intake.later == {NEXT: 1}
    assert f"1 files in {NEXT} that no run has read" in plan_lines(told)[1]
    assert str(DAY) in plan_lines(told)[0]


@pytest.mark.parametrize("name", ["tab\tx.jsonl", "nl\nx.jsonl"])
def test_a_file_with_a_control_character_in_its_name_costs_itself_only(
    inbox: Store, ledger: Ledger, tmp_path: Path, name: str
) -> None:
    put(inbox, line(1))
    (tmp_path / "inbox" / str(DAY) / name).write_text(line(2) + "\n")
    found = plan(inbox, ledger).intake
    assert found.new == 1
    [problem] = settle(ledger, run_id=f"run {DAY}", inbox_date=DAY).named[:1]
    assert "rename it" in problem
    assert name not in problem


@pytest.mark.parametrize("bad", [False, True], ids=["nothing to report", "a report"])
@pytest.mark.parametrize("leads_to", ["../2026-11-19", "../../outside"])
def test_a_folder_of_reports_that_is_a_link_is_left_alone(
    inbox: Store, ledger: Ledger, tmp_path: Path, leads_to: str, bad: bool
) -> None:
    """A report, or its removal, would take what lies there: a day's requests, or files of others."""
    put(inbox, line(1), *(["junk"] if bad else []))
    folder = tmp_path / "inbox" / str(DAY)
    there = folder / leads_to / "r.jsonl"
    there.parent.mkdir()
    there.write_text(text := line(2) + "\n")
    (folder / "rejected").symlink_to(leads_to)
    found = plan(inbox, ledger, late_days=0).intake
    assert (found.new, found.rejected, found.unreported) == (1, int(bad), bad)
    assert there.read_text() == text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_inbox_that_may_only_be_read_on_disk(inbox: Store, ledger: Ledger, tmp_path: Path) -> None:
    put(inbox, line(1), "junk")
    folder = tmp_path / "inbox" / str(DAY)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert plan(inbox, ledger).intake.unreported


def test_an_inbox_that_may_only_be_read_fails_no_plan(
    inbox: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox, line(1), "junk")
    put(inbox, line(2), name="good.jsonl")

    def denied(self: Store, key: str, *_: Any) -> None:
        raise AccessDenied(f"{key}: denied", uri=key)

    monkeypatch.setattr(Store, "write", denied)
    monkeypatch.setattr(Store, "delete", denied)
    planned = plan(inbox, ledger)
    assert (planned.intake.new, planned.intake.unreported) == (2, True)
    assert (
        settle(ledger, run_id=f"run {DAY}", inbox_date=DAY)
        .figures.partition("; ")[0]
        .endswith("1 line rejected")
    )


@pytest.mark.timeout(60)
def test_what_is_no_file_is_named_and_passed_over(inbox: Store, ledger: Ledger, tmp_path: Path) -> None:
    put(inbox, line(1))
    folder = tmp_path / "inbox" / str(DAY)
    (folder / "link.jsonl").symlink_to(folder / "r.jsonl")
    os.mkfifo(folder / "pipe.jsonl")
    os.mkfifo(folder / "pipe")
    (folder / "folder.csv").mkdir()
    (folder / "rejected").mkdir()
    (folder / "nothing.jsonl").symlink_to("nowhere.jsonl")
    (folder / "loop.jsonl").symlink_to("loop.jsonl")
    (folder / "device.jsonl").symlink_to("/dev/zero")
    # The path of a socket can be a hundred characters long.
    descriptor = os.open(folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{descriptor}/socket.json")
    os.close(descriptor)
    found = plan(inbox, ledger)
    assert sorted(found.intake.files) == [f"{DAY}/link.jsonl", f"{DAY}/r.jsonl"]
    assert [planned.content.jobs for planned in found.batches] == [1]
    named = settle(ledger, run_id=f"run {DAY}", inbox_date=DAY).named
    assert sorted(text for text in named if "nothing of it was read" in text) == [
        f"{DAY}/{name}: nothing of it was read: it is {what}: put a file in its place, or remove it"
        for name, what in (
            ("device.jsonl", "a device"),
            (shown_pipe(named), "a named pipe"),
            ("folder.csv", "a folder"),
            ("loop.jsonl", "a link that leads to nothing"),
            ("nothing.jsonl", "a link that leads to nothing"),
            ("pipe.jsonl", "a named pipe"),
            ("socket.json", "a socket"),
        )
    ]
    (folder / "pipe.jsonl").unlink()
    put(inbox, line(2), name="pipe.jsonl")
    assert plan(inbox, ledger).intake.new == 1
    left = settle(ledger, run_id=f"run {DAY}", inbox_date=DAY).named
    assert not any("pipe.jsonl" in text for text in left)


@pytest.mark.parametrize("inbox", ["file", "s3"], indirect=True)
def test_a_folder_whose_files_nobody_would_read_is_named(inbox: Store, ledger: Ledger) -> None:
    put(inbox, line(1))
    for name in ("crm/today/r.jsonl", "old.csv/readme.txt"):
        inbox.write(f"{DAY}/{name}", b"{}\n")
    # What other programs leave, and our own report, hold nothing to be read.
    for name in ("done/notes.txt", "_temporary/0/part.jsonl", ".trash/r.jsonl", "rejected/r.jsonl"):
        inbox.write(f"{DAY}/{name}", b"{}\n")
    for _ in range(2):
        found = plan(inbox, ledger)
        assert found.intake.files + ["r.jsonl"] * found.intake.unchanged
    assert [job.request_id for job in ledger.people.request_jobs("DSR-1")] == ["DSR-1"]
    named = settle(ledger, run_id=f"run {DAY}", inbox_date=DAY).named
    told = [text.partition(": ")[2] for text in named if "nothing of it was read" in text]
    assert told == ["nothing of it was read: it is a folder: put a file in its place, or remove it"] * 2
    inbox.delete(f"{DAY}/crm/today/r.jsonl")
    inbox.delete(f"{DAY}/old.csv/readme.txt")
    if inbox.location.scheme == "file":
        Path(inbox.location.prefix, str(DAY), "old.csv").rmdir()
    plan(inbox, ledger)
    named = settle(ledger, run_id=f"run {DAY}", inbox_date=DAY).named
    assert not any("nothing of it was read" in text for text in named)


@pytest.mark.parametrize(
    ("key", "astray"),
    [
        ("requests.csv", 1),
        ("20261120/r.jsonl", 1),
        ("2026/11/20/r.jsonl", 1),
        ("day=2026-11-20/r.jsonl", 1),
        ("20.11.2026/r.jsonl", 1),
        ("readme.txt", 0),
        ("archive/r.jsonl", 0),
        (f"{DAY - timedelta(days=3)}/r.jsonl", 0),
    ],
)
def test_what_lies_beside_the_days_folders_is_told(
    inbox: Store, ledger: Ledger, key: str, astray: int
) -> None:
    put(inbox, line(1))
    inbox.write(key, b"{}\n")
    planned = plan(inbox, ledger)
    assert planned.intake.astray == astray
    assert any("that no run reads; move the files" in text for text in plan_lines(planned)) == bool(astray)


LONG_AGO, FAR_AHEAD = DAY - timedelta(days=365), DAY + timedelta(days=365)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("requests.csv", "beside the days' folders"),
        ("20261120/r.jsonl", "its folder is none of a day"),
        ("2026/11/20/r.jsonl", "its folder is none of a day"),
        ("day=2026-11-20/r.jsonl", "its folder is none of a day"),
        ("20.11.2026/r.jsonl", "its folder is none of a day"),
        ("2026-11-20 (2)/r.jsonl", "its folder is none of a day"),
        ("2026-11-20T00:00:00+00:00/r.jsonl", "its folder is none of a day"),
        ("20261120T093000/r.jsonl", "its folder is none of a day"),
        ("2026-11-20_0930/r.jsonl", "its folder is none of a day"),
        ("2026-11/20/r.jsonl", "its folder is none of a day"),
        ("2026-11/r.jsonl", "its folder is none of a day"),
        ("month=202611/day=20/r.jsonl", "its folder is none of a day"),
        ("received=2026-11-20/r.jsonl", "its folder is none of a day"),
        ("26-11-20/r.jsonl", "its folder is none of a day"),
        ("20.11.26/r.jsonl", "its folder is none of a day"),
        ("11-20-26/r.jsonl", "its folder is none of a day"),
        ("2026-11-20T00:00:00.123456+00:00/r.jsonl", "its folder is none of a day"),
        ("20261120T093000+0000/r.jsonl", "its folder is none of a day"),
        ("2026-11-20_2/r.jsonl", "its folder is none of a day"),
        ("inbox_date=2026-11-20/r.jsonl", "its folder is none of a day"),
        ("Received_At=2026-11-20T09:30:00Z/r.jsonl", "its folder is none of a day"),
        ("dt=20261120/r.jsonl", "its folder is none of a day"),
        (f"{LONG_AGO}/r.jsonl", "over for more than 45 days"),
        (f"{FAR_AHEAD}/r.jsonl", "yet to come"),
    ],
)
def test_a_file_that_no_run_would_read_is_no_green_day(
    inbox: Store, ledger: Ledger, tmp_path: Path, key: str, why: str
) -> None:
    def arrive(key: str, hours: float) -> None:
        inbox.write(key, line(9).encode() + b"\n")
        moment = ledger.now().timestamp() + 3600 * hours
        os.utime(tmp_path / "inbox" / key, (moment, moment))

    def named() -> list[str]:
        return settle(ledger, run_id=f"run {DAY}", inbox_date=DAY).named

    put(inbox, line(1))
    plan(inbox, ledger)
    arrive(key, 1)
    for _ in range(2):
        plan(inbox, ledger)
        [told] = [text for text in named() if "no run reads it where it lies" in text]
        assert why in told
    folder, _, name = told.partition(": ")[0].removesuffix(" line").partition("/")
    assert name == key.rpartition("/")[2]
    # A person closes it, until it changes; then it is moved to where it belongs.
    assert ledger.inbox.close(date.fromisoformat(folder), name, "a copy") == 1
    plan(inbox, ledger)
    assert not any("no run reads it" in text for text in named())
    arrive(key, 2)
    plan(inbox, ledger)
    assert any("no run reads it" in text for text in named())
    inbox.delete(key)
    put(inbox, line(9), name="moved.jsonl")
    assert plan(inbox, ledger).intake.new == 1
    assert not any("no run reads it" in text for text in named())


@pytest.mark.parametrize(
    "key",
    [
        f"{DAY + timedelta(days=2)}/r.jsonl",
        f"{DAY - timedelta(days=500)}/r.jsonl",
        "archive-2026-11-20/r.jsonl",
        "2026/requests.csv",
        "2026-11-20-old/r.jsonl",
        "2026-11/2026-11-19/r.jsonl",
        "1.2.10/r.jsonl",
        "10.20.30/r.jsonl",
        "20.10.12/r.jsonl",
        "99-99-99/r.jsonl",
        "batch_12-34-56/r.jsonl",
        "part-00-01-02/r.jsonl",
        "v_10.12.03/r.jsonl",
        "2026-11-01_2026-11-30/r.jsonl",
        "2026-11-01-2026-11-30/r.jsonl",
        "20261101_20261130/r.jsonl",
        "2026-11-20_12345678/r.jsonl",
        "processed=20261120/r.jsonl",
        "processed=202611/20/r.jsonl",
        "archive=2026-11-20/r.jsonl",
        "2026-11-20_archive/r.jsonl",
        "2026/11/20/readme.txt",
        ".requests.csv",
    ],
)
def test_what_another_program_keeps_in_the_inbox_is_left_alone(
    inbox: Store, ledger: Ledger, key: str
) -> None:
    put(inbox, line(1))
    plan(inbox, ledger)
    inbox.write(key, b"{}\n")
    plan(inbox, ledger)
    assert not any(
        "no run reads it" in text for text in settle(ledger, run_id=f"run {DAY}", inbox_date=DAY).named
    )


def test_an_old_folder_that_was_there_before_the_ledger_is_left_alone(inbox: Store, ledger: Ledger) -> None:
    put(inbox, line(1), day=LONG_AGO)
    moment = (ledger.now() - timedelta(days=1)).timestamp()
    os.utime(Path(inbox.location.prefix, str(LONG_AGO), "r.jsonl"), (moment, moment))
    put(inbox, line(2))
    for _ in range(2):
        plan(inbox, ledger)
        assert not settle(ledger, run_id=f"run {DAY}", inbox_date=DAY).named[1:]


def test_a_file_of_a_day_to_come_is_read_when_the_day_has_come(inbox: Store, ledger: Ledger) -> None:
    put(inbox, line(1), day=FAR_AHEAD)
    assert plan(inbox, ledger).intake.new == 0
    assert plan(inbox, ledger, FAR_AHEAD + timedelta(days=3)).intake.new == 1
    assert not any("no run reads it" in text for text in settle(ledger, run_id="x", inbox_date=DAY).named)


@pytest.mark.parametrize("folder", [LONG_AGO, FAR_AHEAD])
def test_a_file_that_a_run_of_its_day_has_read_is_not_out_of_reach(
    inbox: Store, ledger: Ledger, folder: date
) -> None:
    put(inbox, line(1))
    plan(inbox, ledger)
    put(inbox, line(2), day=folder)
    moment = ledger.now().timestamp() + 3600
    os.utime(Path(inbox.location.prefix, str(folder), "r.jsonl"), (moment, moment))
    plan(inbox, ledger)
    assert any("no run reads it" in text for text in settle(ledger, run_id="x", inbox_date=folder).named)
    assert plan(inbox, ledger, folder, late_days=0).intake.new == 1
    for _ in range(2):
        plan(inbox, ledger)
        assert not any(
            "no run reads it" in text for text in settle(ledger, run_id="x", inbox_date=folder).named
        )


def test_a_linked_folder_is_read_late_and_named_within_a_day(
    inbox: Store, ledger: Ledger, tmp_path: Path
) -> None:
    for name, number in (("mounted", 1), ("below", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "r.jsonl").write_text(line(number) + "\n")
    (tmp_path / "inbox" / str(DAY)).symlink_to(tmp_path / "mounted")
    (tmp_path / "mounted" / "sub").symlink_to(tmp_path / "below")
    assert plan(inbox, ledger, NEXT).intake.new == 1
    named = settle(ledger, run_id=f"run {NEXT}", inbox_date=NEXT).named
    assert any("it is a link to a folder" in text for text in named)


def test_the_marker_of_a_folder_in_s3_is_no_file(s3: S3Server, ledger: Ledger) -> None:
    """Consoles make `2026-11-20/` and `2026-11-20/crm/` as empty objects."""
    inbox = s3.store()
    put(inbox, line(1))
    for key in (f"{DAY}/", f"{DAY}/crm/", "2026-11-19/"):
        key = f"{inbox.location.prefix}/{key}"
        s3.client.put_object(Bucket=inbox.location.bucket, Key=key, Body=b"")
    found = plan(inbox, ledger)
    assert (found.intake.files, found.intake.not_read) == ([f"{DAY}/r.jsonl"], [])
    assert plan(inbox, ledger).intake.not_read == []


def shown_pipe(named: list[str]) -> str:
    """The name of a file that is not named like one with requests may be a person's."""
    [shown] = [text.split(":")[0].split("/")[1] for text in named if "/file-" in text]
    return shown


@pytest.mark.timeout(60)
def test_a_file_that_became_a_pipe_after_the_plan_is_not_read(
    inbox: Store, ledger: Ledger, tmp_path: Path
) -> None:
    put(inbox, line(1))
    plan(inbox, ledger)
    file = tmp_path / "inbox" / str(DAY) / "r.jsonl"
    file.unlink()
    os.mkfifo(file)
    assert requests_of(ledger.people.request_jobs("DSR-1"), inbox, ledger).requests == {}
    for read in (inbox.read, lambda key: list(inbox.chunks(key))):
        with pytest.raises(ObjectNotFound):
            read(f"{DAY}/r.jsonl")


@pytest.mark.parametrize("kind", [AccessDenied, StorageUnavailable])
def test_a_file_that_cannot_be_read_stops_no_other_and_is_read_once_it_can(
    inbox: Store, ledger: Ledger, kind: type[StorageError]
) -> None:
    put(inbox, line(1), name="Zzmarker Smith.jsonl")
    put(inbox, line(2), name="second.jsonl")
    for day in (DAY, NEXT):
        with pytest.MonkeyPatch.context() as patch:
            deny(patch, f"{DAY}/Zzmarker Smith.jsonl", kind=kind)
            put(inbox, line(3), name="third.jsonl", day=day)
            assert plan(inbox, ledger, day).intake.new == (2 if day == DAY else 0)
        [named] = [
            text for text in settle(ledger, run_id=f"run {day}", inbox_date=DAY).named if "file-" in text
        ]
        assert "nothing of it was read: it cannot be read: file://" in named
        assert "Zzmarker" not in named
    assert plan(inbox, ledger, NEXT).intake.new == 1
    assert not any("file-" in text for text in settle(ledger, run_id="run", inbox_date=DAY).named)


@pytest.mark.parametrize("kind", [AccessDenied, StorageUnavailable])
def test_where_no_new_file_can_be_read_the_plan_fails_and_nobody_is_told_of_each(
    inbox: Store, ledger: Ledger, kind: type[StorageError]
) -> None:
    names = ["r.jsonl", "second.jsonl"]
    for number, name in enumerate(names, 1):
        put(inbox, line(number), name=name)
    with pytest.MonkeyPatch.context() as patch:
        deny(patch, *(f"{DAY}/{name}" for name in names), kind=kind)
        for _ in range(2):
            with pytest.raises(kind, match=r"r\.jsonl"):
                plan(inbox, ledger)
    assert settle(ledger, run_id="run", inbox_date=DAY).named == []
    assert plan(inbox, ledger).intake.new == 2


@pytest.mark.parametrize("kind", [AccessDenied, StorageUnavailable])
def test_a_file_that_a_person_knows_of_stops_no_day_without_other_files(
    inbox: Store, ledger: Ledger, kind: type[StorageError]
) -> None:
    put(inbox, line(1))
    put(inbox, line(2), name="second.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        deny(patch, f"{DAY}/r.jsonl", kind=kind)
        for new in (1, 0):
            assert plan(inbox, ledger).intake.new == new


def test_a_failure_that_may_pass_is_tried_again_when_all_other_files_are_taken_in(
    inbox: Store, ledger: Ledger
) -> None:
    put(inbox, line(1))
    put(inbox, line(2), name="second.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        deny(patch, f"{DAY}/r.jsonl", kind=StorageUnavailable)
        with pytest.raises(StorageUnavailable, match=r"r\.jsonl"):
            plan(inbox, ledger, tried_again=True)
    assert [job.request_id for job in ledger.people.request_jobs("DSR-2")] == ["DSR-2"]
    assert plan(inbox, ledger, tried_again=True).intake.new == 1
    assert not any("r.jsonl" in text for text in settle(ledger, run_id="run", inbox_date=DAY).named)
    with pytest.MonkeyPatch.context() as patch:
        put(inbox, line(3), name="third.jsonl")
        put(inbox, line(4), name="fourth.jsonl")
        deny(patch, f"{DAY}/third.jsonl")
        assert plan(inbox, ledger, tried_again=True).intake.new == 1, "only a person can mend it"


def test_a_file_that_breaks_midway_keeps_its_rejected_lines_open(inbox: Store, ledger: Ledger) -> None:
    put(inbox, line(1), '{"request_id": "DSR-2"}')
    put(inbox, line(9), name="second.jsonl")
    plan(inbox, ledger)
    told = settle(ledger, run_id="run", inbox_date=DAY).named
    [rejected] = [text for text in told if "r.jsonl line 2" in text]
    put(inbox, line(1), '{"request_id": "DSR-2"}', line(3))
    put(inbox, line(8), name="third.jsonl")
    chunks = Store.chunks

    def breaks(self: Store, key: str) -> Iterator[bytes]:
        if key.endswith("/r.jsonl"):
            yield from (f"{text}\n".encode() for text in (line(1), line(3)))
            raise StorageUnavailable("the store failed", uri=key)
        yield from chunks(self, key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "chunks", breaks)
        plan(inbox, ledger)
    told = settle(ledger, run_id="run", inbox_date=DAY).named
    assert rejected in told
    assert f"{DAY}/r.jsonl: not all of it could be read: the store failed" in told
    plan(inbox, ledger)
    told = settle(ledger, run_id="run", inbox_date=DAY).named
    assert [text for text in told if "r.jsonl" in text] == [rejected]
