"""A ledger that is not the right one: one line that names the thing and the way out, and nothing done."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from adobe_privacy.command_line import main
from adobe_privacy.command_places import Places
from adobe_privacy.hooks.ledger import open_ledger
from adobe_privacy.hooks.settings import location, read_settings
from adobe_privacy.hooks.storage import open_archive, open_inbox
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.operators.privacy_optouts import SendPrivacyOptOutsOperator
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    SettlePrivacyRequestsOperator,
)
from adobe_privacy.operators.privacy_retention import (
    CleanUpPrivacyArchiveOperator,
    ErasePrivacyResultsOperator,
)
from adobe_privacy.operators.privacy_sweep import SweepPrivacyJobsOperator
from adobe_privacy.ownership import MARK
from adobe_privacy.submission import first_submission
from tests.support.privacy import World, context, request


def plan() -> list[str]:
    return list(PlanPrivacyRequestsOperator(task_id="plan").execute(context()))


def submit(batch_id: str) -> Any:
    return CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())


def steps(batch_id: str) -> dict[str, Callable[[], Any]]:
    """Every task that sends, stores or erases, and the two that come before and after them."""
    return {
        "plan": plan,
        "submit": lambda: submit(batch_id),
        "archive": lambda: ArchivePrivacyResultsOperator(task_id="a", batch_id=batch_id).execute(context()),
        "settle": lambda: SettlePrivacyRequestsOperator(task_id="s", batch_ids=[batch_id]).execute(context()),
        "sweep": lambda: SweepPrivacyJobsOperator(task_id="sweep").execute(context()),
        "opt-outs": lambda: SendPrivacyOptOutsOperator(task_id="send").execute(context()),
        "erase": lambda: ErasePrivacyResultsOperator(task_id="erase").execute(context()),
        "clean up": lambda: CleanUpPrivacyArchiveOperator(task_id="clean").execute(context()),
    }


def seen(world: World) -> dict[str, Any]:
    return {
        "calls": {
            name: count for name, count in world.simulator.calls().items() if name in ("create", "consent")
        },
        "archive": {path: path.read_bytes() for path in world.archive.rglob("*") if path.is_file()},
        "ledgers": sorted(path.name for path in world.folder.rglob("*.db")),
    }


@pytest.fixture
def submitted(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """One batch is at Adobe, nothing is archived yet; more waits in the inbox."""
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_RETENTION_DAYS", '{"gdpr": 1}')
    monkeypatch.setenv("AIRFLOW_HOME", str(world.folder / "home"))
    world.put(request(1, "access", "delete"))
    [batch_id] = plan()
    submit(batch_id)
    world.put(request(2, "access", "delete"), request(3, "opt_out_of_sale"), name="more.jsonl")
    return batch_id


def nothing_is_done(world: World, batch_id: str, words: str) -> None:
    before = seen(world)
    for step, run in steps(batch_id).items():
        with pytest.raises(AirflowException, match=words) as stopped:
            run()
        assert "\n" not in str(stopped.value), step
    assert seen(world) == before


def copy_of(world: World) -> dict[str, bytes]:
    path = world.folder / "ledger.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return {path.name: path.read_bytes()}


def restore(world: World, copy: dict[str, bytes]) -> None:
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (world.folder / name).unlink(missing_ok=True)
    for name, content in copy.items():
        (world.folder / name).write_bytes(content)


def test_between_the_first_submission_and_the_first_result_no_second_ledger_is_made(
    world: World, submitted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The look-up of the connection fails: Airflow says that there is none.
    monkeypatch.delenv("AIRFLOW_CONN_PRIVACY_LEDGER")
    nothing_is_done(world, submitted, "there is no ledger where connection privacy_ledger is absent")


def test_an_empty_ledger_in_the_place_of_the_right_one(world: World, submitted: str) -> None:
    restore(world, {})
    Ledger(world.ledger_url, actor="user").close()
    nothing_is_done(world, submitted, r"leads to an empty one: nothing was done\. .*reconcile")


def test_another_ledger_of_the_same_organisation(
    world: World, submitted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = copy_of(world)
    restore(world, {})
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_URI", f"file://{world.folder}/other-archive")
    # A ledger that has sent nothing does not send what Adobe has.
    monkeypatch.setattr(first_submission, "_has_sent", lambda _ledger: True)
    submit(plan()[0])
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_URI", f"file://{world.archive}")
    nothing_is_done(world, submitted, r"the archive .* belongs to the ledger .*: nothing was done\.")
    restore(world, mine)
    assert submitted in plan()


def test_a_ledger_that_a_backup_brought_back(world: World, submitted: str) -> None:
    backup = copy_of(world)
    [batch_id, *_] = [each for each in plan() if each != submitted]
    submit(batch_id)
    restore(world, backup)
    nothing_is_done(
        world, submitted, r"the ledger is older than the archive .*Run `airflow privacy reconcile`"
    )


def test_a_ledger_of_before_the_first_submission(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_RETENTION_DAYS", '{"gdpr": 1}')
    world.put(request(1, "access", "delete"))
    [batch_id] = plan()
    backup = copy_of(world)
    submit(batch_id)
    restore(world, backup)
    nothing_is_done(world, batch_id, "the archive .* belongs to the ledger|older than the archive")


def test_an_archive_of_another_organisation(
    world: World, submitted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = world.archive / MARK
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"organisation": "F" * 24 + "@AdobeOrg"}))
    nothing_is_done(world, submitted, "belongs to the organisation FFFF.*an archive of its own")


def test_a_mark_that_is_something_else(world: World, submitted: str) -> None:
    (world.archive / MARK).write_text("{}")
    nothing_is_done(world, submitted, r"ledger\.json does not say which ledger owns the archive")


def test_a_file_that_is_no_database(world: World, submitted: str) -> None:
    restore(world, {"ledger.db": b"PK\x03\x04 a workbook, perhaps" * 100})
    nothing_is_done(
        world, submitted, r"ledger\.db is no SQLite database: correct the connection privacy_ledger"
    )


def test_a_database_of_another_product(world: World, submitted: str) -> None:
    restore(world, {})
    path = world.folder / "ledger.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE dag_run (id INTEGER)")
    before = path.read_bytes()
    nothing_is_done(world, submitted, r"is the database of something else: it has the table dag_run")
    assert path.read_bytes() == before or tables(path) == ["dag_run"]


def tables(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def test_a_wrong_fingerprint_key(world: World, submitted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = json.loads(os.environ["AIRFLOW_CONN_PRIVACY_LEDGER"])
    wrong = connection | {"extra": {"fingerprint_key": "another key, quite long enough"}}
    monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", json.dumps(wrong))
    nothing_is_done(world, submitted, "were written with another fingerprint key")


def reconcile(*options: str) -> int:
    places = Places(
        lambda actor, *, existing: open_ledger(actor, existing=existing),
        lambda: open_archive(location("archive"), create=False),
        read_settings,
        lambda settings: open_inbox(settings.location("inbox")),
    )
    return main(["reconcile", *options], places=lambda _organisation: places, prog="airflow privacy")


def test_reconcile_is_the_way_out(world: World, submitted: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert reconcile() == 0
    backup = copy_of(world)
    [batch_id, *_] = [each for each in plan() if each != submitted]
    submit(batch_id)
    made = sorted((job["key"], job["action"]) for job in world.simulator.jobs())
    restore(world, backup)
    capsys.readouterr()
    assert reconcile() == 1
    said = capsys.readouterr().out
    assert "the ledger is older than the archive" in said
    assert "at Adobe: DSR-2 (delete)" in said
    assert "Nothing was changed. To let this ledger go on: reconcile --apply" in said
    assert "cannot be recovered: legal holds: place them again before privacy_retention runs" in said
    nothing_is_done(world, submitted, "the ledger is older than the archive")
    capsys.readouterr()
    assert reconcile("--apply") == 0
    said = capsys.readouterr().out
    assert "at Adobe: DSR-2 (access)\nat Adobe: DSR-2 (delete)" in said
    for each in plan():
        submit(each)
    assert sorted((job["key"], job["action"]) for job in world.simulator.jobs()) == made


def test_reconcile_lets_no_other_organisation_in(
    world: World, submitted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = world.archive / MARK
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"organisation": "F" * 24 + "@AdobeOrg"}))
    before = seen(world)
    assert reconcile("--apply") == 1
    assert "belongs to the organisation FFFF" in capsys.readouterr().err
    assert seen(world) == before
