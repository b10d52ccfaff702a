"""Keeping the archive: what goes, what stays, and what is said."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from adobe_privacy import command_line
from adobe_privacy.archive import verify_archive
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
)
from adobe_privacy.operators.privacy_retention import (
    CleanUpPrivacyArchiveOperator,
    ErasePrivacyInboxOperator,
    ErasePrivacyResultsOperator,
    ForgetPrivacyRequestsOperator,
    VerifyPrivacyArchiveOperator,
)
from adobe_privacy.settings import read_variables
from adobe_privacy.storage import open_store
from adobe_privacy.web.read import read_request
from adobe_privacy.web.source import Source
from tests.support.privacy import World, context, long_ago, request

VARIABLE = "AIRFLOW_VAR_PRIVACY_RETENTION_DAYS"


def archive_two(world: World) -> World:
    world.put(request(1), request(2, regulation="ccpa"))
    for batch_id in PlanPrivacyRequestsOperator(task_id="plan").execute(context()):
        CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
        world.simulator.advance(60)
        ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    assert len(results(world)) == 2
    return world


@pytest.fixture
def archived(world: World) -> World:
    """Two results that were completed long ago."""
    with long_ago(world):
        return archive_two(world)


@pytest.fixture
def archived_today(world: World) -> World:
    return archive_two(world)


def results(world: World) -> list[Path]:
    return sorted(world.archive.rglob("*.zip"))


def erase(**params: Any) -> dict[str, int]:
    return ErasePrivacyResultsOperator(task_id="erase").execute(context(**params))


def test_nothing_is_erased_until_the_variable_is_set(archived: World) -> None:
    assert erase() == {}
    assert len(results(archived)) == 2


def test_an_erasure_that_was_begun_is_not_wanted_any_more_where_no_regulation_is_left(
    archived: World,
) -> None:
    """A hold would be told that it comes too late."""
    (result,) = [path for path in results(archived) if "gdpr" in path.parts]
    folder = str(result.parent.relative_to(archived.archive))
    (manifest,) = [entry for entry in archived.manifests() if entry["regulation"] == "gdpr"]
    hours_ago = datetime.now(UTC) - timedelta(hours=5)
    with Ledger(archived.ledger_url, actor="test", now=lambda: hours_ago) as ledger:
        assert ledger.erasures.begin(manifest["job_id"], manifest["request_id"], folder, untouched=True)
    assert erase(dry_run=True) == {}
    assert erase() == {}
    assert len(results(archived)) == 2
    with Ledger(archived.ledger_url, actor="test") as ledger:
        assert ledger.erasures.unfinished() == []


def test_what_is_past_its_retention_goes_and_leaves_a_tombstone(
    archived: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, '{"gdpr": 30}')
    assert erase() == {"erased": 1}
    (kept,) = results(archived)
    assert "ccpa" in kept.parts
    (tombstone,) = [entry for entry in archived.manifests() if "erasure" in entry]
    assert tombstone["regulation"] == "gdpr"
    assert len(tombstone["sha256"]) == 64
    assert tombstone["erasure"]["reason"] == "retention of 30 days for gdpr"
    verification = verify_archive(open_store(f"file://{archived.archive}"))
    assert [finding.severity for finding in verification if finding.severity == "error"] == []
    assert verification.summary.erased == 1


def test_a_dry_run_says_what_would_go(archived: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, '{"*": 30}')
    assert erase(dry_run=True) == {"erased": 2}
    assert len(results(archived)) == 2


def test_a_legal_hold_wins_over_retention(archived: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, '{"*": 30}')
    with Ledger(archived.ledger_url, actor="test") as ledger:
        ledger.people.hold("DSR-1", "court order")
    assert erase() == {"held": 1, "erased": 1}
    assert [path.parts[-6] for path in results(archived)] == ["gdpr"]


@pytest.mark.parametrize(
    "value", ["{gdpr: 30}", "[]", '{"gdpr": 0}', '{"gdpr": "30"}', '{"nonsense": 30}', '{"gdpr": true}']
)
def test_a_variable_that_is_not_understood_erases_nothing(
    world: World, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(AirflowFailException, match=r"privacy_retention_days: (must be like|is not JSON)"):
        ErasePrivacyResultsOperator(task_id="erase").execute(context())


def test_a_regulations_own_days_win_over_the_rest() -> None:
    days = read_variables({"privacy_retention_days": json.dumps({"gdpr": 365, "*": 730})}).retention_days
    assert (days["gdpr"], days["ccpa"]) == (365, 730)


def test_attempts_that_no_manifest_names_are_swept_once_they_are_old(archived: World) -> None:
    folder = archived.archive / f"jobs/gdpr/{datetime.now(UTC):%Y/%m/%d}/killed"
    folder.mkdir(parents=True)
    dead, young = folder / "0123.zip", folder / "4567.zip"
    for path in (dead, young):
        path.write_bytes(b"half a result")
    long_ago = time.time() - 8 * 86400
    os.utime(dead, (long_ago, long_ago))
    assert CleanUpPrivacyArchiveOperator(task_id="clean_up").execute(context()) == {"swept": 1}
    assert not dead.exists()
    assert young.exists()
    assert len(results(archived)) == 3


def test_a_changed_result_is_found_and_named_when_its_turn_comes(
    archived: World, caplog: pytest.LogCaptureFixture
) -> None:
    operator = VerifyPrivacyArchiveOperator(task_id="verify", every_days=1)
    assert operator.execute(context())["results"] == 2
    path = results(archived)[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(AirflowFailException, match="archived results are not what"):
        operator.execute(context())
    assert path.name in caplog.text


def test_a_hold_says_what_it_comes_too_late_for(
    archived: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, '{"gdpr": 30}')
    assert erase() == {"erased": 1}
    command_line.main(["hold", "DSR-1", "--reason", "lawsuit", "--ledger", archived.ledger_url])
    assert "too late: the result of Adobe's job" in capsys.readouterr().err


def inbox(**params: Any) -> tuple[dict[str, int], str]:
    operator = ErasePrivacyInboxOperator(task_id="inbox")
    return operator.execute(context(**params)), operator.summary


def pass_days(world: World, days: int) -> None:
    """Everything in the ledger happened so many days earlier."""
    with sqlite3.connect(world.folder / "ledger.db") as database:
        for table, column in (
            ("privacy_inbox_files", "read_at"),
            ("privacy_transitions", "at"),
            ("privacy_jobs", "received_at"),
            ("privacy_jobs", "taken_in_at"),
        ):
            database.execute(f"UPDATE {table} SET {column} = datetime({column}, '-{days} days')")


def test_an_inbox_file_goes_30_days_after_its_requests_ended(archived_today: World) -> None:
    (file,) = archived_today.inbox.rglob("*.jsonl")
    assert inbox() == ({}, "Inbox, 30 days: nothing was due")
    pass_days(archived_today, 31)
    assert inbox(dry_run=True) == (
        {"erased": 1},
        "Inbox, 30 days: dry run, nothing was changed: 1 erased",
    )
    assert file.exists()
    with Ledger(archived_today.ledger_url, actor="test") as ledger:
        ledger.people.hold("DSR-1", "lawsuit")
    assert inbox()[0] == {"held": 1}
    with Ledger(archived_today.ledger_url, actor="test") as ledger:
        ledger.people.release("DSR-1", "settled")
    pass_days(archived_today, 31)
    assert inbox() == ({"erased": 1}, "Inbox, 30 days: 1 erased")
    assert not file.exists()


def test_decisions_after_the_inbox_file_is_gone_say_so(
    archived_today: World, capsys: pytest.CaptureFixture[str]
) -> None:
    pass_days(archived_today, 31)
    inbox()
    capsys.readouterr()
    today = datetime.now(UTC).date()
    for command, says in (("hold", "too late: "), ("release", ""), ("resend", "not sent again: ")):
        command_line.main([command, "DSR-1", "--reason", "lawsuit", "--ledger", archived_today.ledger_url])
        expected = f"{says}DSR-1: its inbox file was erased on {today}: hand the request in again"
        assert expected in capsys.readouterr().err.splitlines()


def test_the_ledger_forgets_after_24_months(archived_today: World) -> None:
    def forget(**params: Any) -> tuple[dict[str, int], str]:
        operator = ForgetPrivacyRequestsOperator(task_id="ledger")
        return operator.execute(context(**params)), operator.summary

    assert forget() == ({"forgotten": 0}, "Ledger, 24 months: 0 requests forgotten")
    pass_days(archived_today, 735)
    assert forget(dry_run=True)[0] == {"forgotten": 2}
    assert forget() == ({"forgotten": 2}, "Ledger, 24 months: 2 requests forgotten")
    assert b"DSR-1" not in dumped(archived_today)
    archived_today.put(request(1), day=date(2026, 11, 24))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context(date(2026, 11, 24)))
    with Ledger(archived_today.ledger_url, actor="test") as ledger:
        assert ledger.overview.counts()[JobState.RECEIVED] == 0
        assert ledger.attention.counts()["rejected"] == 1


def dumped(world: World) -> bytes:
    with sqlite3.connect(world.folder / "ledger.db") as database:
        return "\n".join(database.iterdump()).encode()


def test_a_retention_that_cannot_be_looked_up_erases_nothing_sooner(
    archived: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "AIRFLOW_VAR_PRIVACY_INBOX_RETENTION_DAYS"
    monkeypatch.setenv(name, "365")
    assert inbox()[0] == {}
    pass_days(archived, 60)
    monkeypatch.delenv(name)
    with pytest.raises(AirflowException, match="retention of the inbox was 365 since"):
        inbox()
    monkeypatch.setenv(name, "40")
    assert inbox()[0] == {"erased": 1}
    monkeypatch.delenv(name)
    with pytest.raises(AirflowException, match="retention of the inbox was 40 since"):
        inbox()
    monkeypatch.setenv(name, "7")
    inbox()
    monkeypatch.delenv(name)
    assert inbox()[0] == {}


class TestAnErasureWhoseManifestIsGone:
    """Somebody deleted the manifest while its result was being erased."""

    @pytest.fixture
    def lost(self, archived: World, monkeypatch: pytest.MonkeyPatch) -> World:
        monkeypatch.setenv(VARIABLE, '{"*": 30}')
        [path] = [path for path in archived.archive.rglob("manifest.json") if "gdpr" in path.parts]
        folder = path.parent.relative_to(archived.archive).as_posix()
        with Ledger(archived.ledger_url, actor="test") as ledger:
            assert ledger.erasures.begin(path.parent.name, "DSR-1", folder)
        path.rename(archived.folder / "kept.json")
        return archived

    @staticmethod
    def manifest(world: World) -> Path:
        with Ledger(world.ledger_url, actor="test") as ledger:
            [job] = ledger.people.request_jobs("DSR-1")
        return world.archive / str(job.manifest)

    def attention(self, world: World, capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
        capsys.readouterr()
        command_line.main(["attention", "--json", "--ledger", world.ledger_url])
        return dict(json.loads(capsys.readouterr().out)["counts"])

    def test_is_told_to_a_person_and_fails_no_run(
        self, lost: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert erase(dry_run=True) == {"erased": 1, "lost": 1}
        assert self.attention(lost, capsys).get("not_erased", 0) == 0
        assert erase() == {"erased": 1, "lost": 1}
        for _ in range(2):
            assert erase() == {"lost": 1}
            assert self.attention(lost, capsys)["not_erased"] == 1
        with Ledger(lost.ledger_url, actor="test") as ledger:
            assert [each.done_at for each in ledger.erasures.of_request("DSR-1")] == [None]
            told = [change.reason for change in ledger.people.history("DSR-1") if "manifest" in change.reason]
        # In the history it stands once.
        assert [reason for reason in told if reason.startswith("not known to be erased: ")] == told[-1:]
        # What lies there is nobody's to delete.
        assert [path.parts[-6] for path in results(lost)] == ["gdpr"]

    def test_is_finished_once_the_manifest_is_restored(
        self, lost: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        erase()
        (lost.folder / "kept.json").rename(self.manifest(lost))
        assert erase() == {"erased": 1}
        assert self.attention(lost, capsys).get("not_erased", 0) == 0
        assert results(lost) == []

    def test_may_be_closed_on_its_page_and_sent_again_by_nobody(self, lost: World) -> None:
        with Ledger(lost.ledger_url, actor="test") as ledger, contextlib.closing(Source()) as source:
            [before] = read_request(source, "DSR-1")["jobs"]
            erase()
            [stopped] = read_request(source, "DSR-1")["jobs"]
            ledger.people.close("DSR-1", "the manifest is lost for good")
            [closed] = read_request(source, "DSR-1")["jobs"]
        assert [job["may_be_closed"] for job in (before, stopped, closed)] == [False, True, False]
        assert not stopped["may_be_resent"]

    def test_is_closed_by_a_person_and_never_called_erased(
        self, lost: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        erase()
        verify = VerifyPrivacyArchiveOperator(task_id="verify", every_days=1)
        with pytest.raises(AirflowFailException, match="1 archived results"):
            verify.execute(context())
        [left] = results(lost)
        left.unlink()
        close = ["close", "DSR-1", "--reason", "the manifest is lost for good", "--ledger", lost.ledger_url]
        assert command_line.main(close) == 0
        assert self.attention(lost, capsys).get("not_erased", 0) == 0
        assert erase() == {"lost": 1}
        assert self.attention(lost, capsys).get("not_erased", 0) == 0
        verify.execute(context())
        with Ledger(lost.ledger_url, actor="test") as ledger:
            assert [each.done_at for each in ledger.erasures.of_request("DSR-1")] == [None]
            reasons = [change.reason for change in ledger.people.history("DSR-1")]
        assert reasons[-1] == "closed: the manifest is lost for good"
        assert not any("was erased" in reason for reason in reasons)
        # Whoever restores it after all has it erased.
        (lost.folder / "kept.json").rename(self.manifest(lost))
        assert erase() == {"erased": 1}

    def test_fails_no_clean_up_either_once_it_is_noted(
        self, lost: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adobe_privacy.archive.cleaning.CYCLE", 1)
        [left] = [path for path in results(lost) if "gdpr" in path.parts]
        month_ago = time.time() - 30 * 86400
        os.utime(left, (month_ago, month_ago))
        clean_up = CleanUpPrivacyArchiveOperator(task_id="clean_up")
        with pytest.raises(AirflowException, match="1 objects"):
            clean_up.execute(context())
        erase()
        assert clean_up.execute(context()) == {"lost": 1}
        with Ledger(lost.ledger_url, actor="test") as ledger:
            ledger.people.close("DSR-1", "the manifest is lost for good")
        assert clean_up.execute(context()) == {"lost": 1}
        assert left.exists()

    def test_closed_says_nothing_of_another_attempt(self, lost: World) -> None:
        erase()
        with Ledger(lost.ledger_url, actor="test") as ledger:
            [first] = ledger.people.request_jobs("DSR-1")
            ledger.people.close("DSR-1", "the manifest is lost for good")
            assert first.adobe_job_id not in dict(ledger.chain.manifests())
            with ledger.unit.write() as session:
                job = session.get_one(Job, first.id)
                for attempt in (2, 3):
                    job.attempt, job.adobe_job_id = attempt, f"adobe-{attempt}"
                    why = f"archived; SHA-256 {attempt:064}"
                    ledger.unit.note(session, [job], job.state, job.state, why)
            assert "adobe-3" in dict(ledger.chain.manifests())
            assert ledger.chain.earlier() == ["adobe-2"]
