"""Heads of the history in the archive; a ledger, its archive and their history compared. Whole way, real parts."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from adobe_privacy import command_line
from adobe_privacy.ledger.identity import Lost, keep_lost
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.operators.privacy_optouts import SendPrivacyOptOutsOperator
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
)
from adobe_privacy.operators.privacy_retention import (
    ErasePrivacyResultsOperator,
    VerifyPrivacyArchiveOperator,
)
from adobe_privacy.seals import check_history, seal_history
from adobe_privacy.storage import AccessDenied, Store, Written, open_store
from tests.support.privacy import World, context, long_ago, request


@pytest.fixture
def archived(world: World) -> World:
    """One access and one delete request, archived long ago."""
    with long_ago(world):
        world.put(request(1), request(2, "delete"))
        for batch_id in PlanPrivacyRequestsOperator(task_id="plan").execute(context()):
            CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
            world.simulator.advance(60)
            ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    return world


def manifests(world: World) -> list[Path]:
    return sorted(world.archive.rglob("manifest.json"))


def nightly(**params: Any) -> str:
    operator = VerifyPrivacyArchiveOperator(task_id="verify", every_days=1)
    operator.execute(context(**params))
    return operator.summary


def verify(world: World, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, list[str]]:
    capsys.readouterr()
    code = command_line.main(["verify", f"file://{world.archive}", "--json", *more])
    return code, [finding["problem"] for finding in json.loads(capsys.readouterr().out)["findings"]]


def against_ledger(world: World, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    return verify(world, capsys, "--ledger", world.ledger_url)


def sql(world: World, statement: str) -> None:
    with sqlite3.connect(world.folder / "ledger.db") as database:
        database.execute(statement)


def test_the_ledger_keeps_the_hash_of_each_manifest_in_its_history_too(archived: World) -> None:
    with Ledger(archived.ledger_url, actor="test") as ledger:
        for number in (1, 2):
            [job] = ledger.people.request_jobs(f"DSR-{number}")
            data = (archived.archive / str(job.manifest)).read_bytes()
            assert job.manifest_sha256 == hashlib.sha256(data).hexdigest()
            assert ledger.people.history(f"DSR-{number}")[-1].reason.endswith(
                f"SHA-256 {job.manifest_sha256}"
            )


def test_an_archive_that_is_as_it_was_written_agrees_with_its_ledger(
    archived: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "history sealed, head 1 " in nightly()
    [head] = (archived.archive / "seals").rglob("*.json")
    place = head.relative_to(archived.archive).as_posix()
    assert place.startswith(f"seals/{datetime.now(UTC):%Y}/00000001-")
    assert against_ledger(archived, capsys) == (0, [])


def test_a_forged_manifest_is_found_by_command_night_evidence_and_page(
    archived: World, capsys: pytest.CaptureFixture[str]
) -> None:
    path = next(path for path in manifests(archived) if b'"delete"' in path.read_bytes())
    forged = json.loads(path.read_text())
    forged["products"][0]["name"] = "another product"
    path.write_text(json.dumps(forged, indent=2))
    assert verify(archived, capsys) == (0, []), "the archive alone cannot tell"
    assert against_ledger(archived, capsys) == (1, ["changed-manifest"])
    with pytest.raises(AirflowFailException, match="1 archived results are not what"):
        nightly()
    capsys.readouterr()
    arguments = ["evidence", "DSR-2", "--archive", f"file://{archived.archive}", "--ledger"]
    assert command_line.main([*arguments, archived.ledger_url]) == 1
    assert "it is not the manifest that was archived" in capsys.readouterr().err
    assert command_line.main([*arguments[:1], "DSR-1", *arguments[2:], archived.ledger_url]) == 0


def test_a_job_whose_folder_is_gone_is_missed(archived: World, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(manifests(archived)[0].parent)
    assert verify(archived, capsys) == (0, [])
    assert against_ledger(archived, capsys) == (1, ["missing-manifest"])


@pytest.mark.parametrize("again", ["waits", "archived"])
def test_the_manifest_of_an_earlier_attempt_is_missed_too(
    world: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, again: str
) -> None:
    world.simulator.scenario({"rules": [{"code": "1000-400"}]})
    world.put(request(1))

    def run() -> None:
        for batch_id in PlanPrivacyRequestsOperator(task_id="plan").execute(context()):
            CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
            world.simulator.advance(60)
            ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())

    run()
    [first] = manifests(world)
    world.simulator.scenario({"rules": []})
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert ledger.people.resend("DSR-1", "the namespace was set up") == 1
    if again == "archived":
        run()
        assert len(manifests(world)) == 2
    assert against_ledger(world, capsys) == (0, [])
    nightly()
    shutil.rmtree(first.parent)
    assert verify(world, capsys) == (0, [])
    assert against_ledger(world, capsys) == (1, ["missing-manifest"])
    with pytest.raises(AirflowFailException, match="1 archived results are not what"):
        nightly()
    assert f"jobs/*/{first.parent.name}/manifest.json" in caplog.text


def test_a_job_that_no_ledger_knows_is_named(archived: World, capsys: pytest.CaptureFixture[str]) -> None:
    path = next(path for path in manifests(archived) if b'"delete"' in path.read_bytes())
    other = path.parent.with_name("invented")
    other.mkdir()
    invented = json.loads(path.read_text()) | {"job_id": "invented"}
    (other / "manifest.json").write_text(json.dumps(invented))
    assert against_ledger(archived, capsys) == (1, ["unknown-manifest"])


def test_a_tombstone_made_by_hand_is_found_and_a_true_one_is_not(
    archived: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = next(path for path in manifests(archived) if b'"object"' in path.read_bytes())
    before = path.read_bytes()
    now = datetime.now(UTC).isoformat()
    erasure = {"reason": "retention of 30 days for gdpr", "started_at": now, "erased_at": now}
    path.write_text(json.dumps(json.loads(before) | {"erasure": erasure}))
    [result] = archived.archive.rglob("*.zip")
    kept = result.read_bytes()
    result.unlink()
    assert verify(archived, capsys) == (0, [])
    assert against_ledger(archived, capsys) == (1, ["changed-manifest"])
    path.write_bytes(before)
    result.write_bytes(kept)
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_RETENTION_DAYS", '{"gdpr": 30}')
    assert ErasePrivacyResultsOperator(task_id="erase").execute(context()) == {"erased": 1}
    assert against_ledger(archived, capsys) == (0, [])


def test_a_manifest_of_before_has_no_hash_and_no_problem(
    archived: World, capsys: pytest.CaptureFixture[str]
) -> None:
    sql(archived, "UPDATE privacy_jobs SET manifest_sha256 = NULL")
    sql(archived, "UPDATE privacy_transitions SET reason = 'manifest written' WHERE to_state = 'archived'")
    assert against_ledger(archived, capsys) == (0, [])


def test_a_history_that_was_changed_is_found_by_command_and_night(
    archived: World, capsys: pytest.CaptureFixture[str]
) -> None:
    nightly()
    sql(archived, "UPDATE privacy_transitions SET actor = 'somebody else' WHERE id = 1")
    assert against_ledger(archived, capsys) == (1, ["changed-history"])
    with pytest.raises(AirflowFailException, match="history is not as it was sealed: seal 1 of"):
        nightly()


def test_a_history_rewritten_with_its_seals_contradicts_the_archive(
    archived: World, capsys: pytest.CaptureFixture[str]
) -> None:
    nightly()
    sql(archived, "UPDATE privacy_transitions SET actor = 'somebody else' WHERE id = 1")
    sql(archived, "DELETE FROM privacy_seals")
    with pytest.raises(AirflowFailException, match="its hash is not the one that the archive holds"):
        nightly()
    assert against_ledger(archived, capsys)[0] == 1


def test_what_a_reconciled_restore_has_lost_is_no_problem(archived: World) -> None:
    archive = open_store(f"file://{archived.archive}")
    with Ledger(archived.ledger_url, actor="test") as ledger:
        before = (archived.folder / "ledger.db").with_name("backup.db")
        with sqlite3.connect(archived.folder / "ledger.db") as source, sqlite3.connect(before) as copy:
            source.backup(copy)
        seal_history(ledger, archive)
        lost_head = ledger.chain.head()
        assert lost_head is not None
    with Ledger(f"sqlite:///{before}", actor="restored") as ledger:
        ledger.people.hold("DSR-1", "lawsuit")
        assert any("not in the ledger" in problem for problem in check_history(ledger, archive))
        with ledger.unit.write() as session:
            keep_lost(session, Lost(None, ledger.now()))
        seal = seal_history(ledger, archive)
        assert seal is not None
        assert seal.hash != lost_head.hash
        assert check_history(ledger, archive) == []


def test_a_head_that_was_removed_is_missed(archived: World, capsys: pytest.CaptureFixture[str]) -> None:
    nightly()
    shutil.rmtree(archived.archive / "seals")
    assert against_ledger(archived, capsys) == (1, ["changed-history"])


def test_what_is_no_head_costs_itself_only(archived: World, capsys: pytest.CaptureFixture[str]) -> None:
    nightly()
    (archived.archive / "seals" / "note.txt").write_text("hello")
    assert against_ledger(archived, capsys) == (1, ["changed-history"])


def test_a_dry_run_seals_nothing(archived: World) -> None:
    nightly(dry_run=True)
    assert not (archived.archive / "seals").exists()


def test_a_head_whose_answer_was_lost_is_written_once(archived: World) -> None:
    archive = open_store(f"file://{archived.archive}")
    with Ledger(archived.ledger_url, actor="test") as ledger:
        seal_history(ledger, archive)
        sql(archived, "UPDATE privacy_seals SET written_at = NULL")
        seal = seal_history(ledger, archive)
        assert seal is not None
        assert seal.number == 1
        assert check_history(ledger, archive) == []


def test_a_receipt_has_its_hash_as_well(world: World) -> None:
    world.put(request(1, "opt_out_of_sale", regulation="ccpa"))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    SendPrivacyOptOutsOperator(task_id="send").execute(context())
    with Ledger(world.ledger_url, actor="test") as ledger:
        [job] = ledger.people.request_jobs("DSR-1")
    data = (world.archive / str(job.manifest)).read_bytes()
    assert job.manifest_sha256 == hashlib.sha256(data).hexdigest()


def test_a_head_that_cannot_be_read_or_written_stops_no_other_check(
    archived: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nightly()
    read, create = Store.read, Store.create

    def closed(self: Store, key: str) -> bytes:
        if key.startswith("seals/"):
            raise AccessDenied(f"{key}: the store refused", uri=key)
        return read(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "read", closed)
        code, problems = against_ledger(archived, capsys)
        with pytest.raises(AirflowFailException, match=r"cannot be read: .* the store refused"):
            nightly()
    assert code == 1
    assert set(problems) == {"changed-history"}

    def locked(self: Store, key: str, data: bytes) -> Written:
        if key.startswith("seals/"):
            raise AccessDenied(f"{key}: the store refused", uri=key)
        return create(self, key, data)

    monkeypatch.setattr(Store, "create", locked)
    with Ledger(archived.ledger_url, actor="test") as ledger:
        ledger.people.hold("DSR-1", "a court's order")
    operator = VerifyPrivacyArchiveOperator(task_id="verify", every_days=1)
    with pytest.raises(AirflowException, match="the head of the history cannot be written"):
        operator.execute(context())
    assert operator.summary.startswith("Sample: 1 results re-read, 0 errors")
