"""Keeping the archive: what goes, what stays, and what is said."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from adobe_privacy import command_line
from adobe_privacy.archive import verify_archive
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
)
from adobe_privacy.operators.privacy_retention import (
    CleanUpPrivacyArchiveOperator,
    ErasePrivacyResultsOperator,
    VerifyPrivacyArchiveOperator,
)
from adobe_privacy.settings import read_variables
from adobe_privacy.storage import open_store
from tests.support.privacy import World, context, request

VARIABLE = "AIRFLOW_VAR_PRIVACY_RETENTION_DAYS"


@pytest.fixture
def archived(world: World) -> World:
    """Two results that were completed long ago by Adobe's clock."""
    world.simulator.set_clock(now="2026-01-10T00:00:00Z")
    world.put(request(1), request(2, regulation="ccpa"))
    for batch_id in PlanPrivacyRequestsOperator(task_id="plan").execute(context()):
        CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
        world.simulator.advance(60)
        ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    assert len(results(world)) == 2
    return world


def results(world: World) -> list[Path]:
    return sorted(world.archive.rglob("*.zip"))


def erase(**params: Any) -> dict[str, int]:
    return ErasePrivacyResultsOperator(task_id="erase").execute(context(**params))


def test_nothing_is_erased_until_the_variable_is_set(archived: World) -> None:
    assert erase() == {}
    assert len(results(archived)) == 2


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
    archived: World, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = VerifyPrivacyArchiveOperator(task_id="verify", every_days=1)
    assert operator.execute(context())["results"] == 2
    path = results(archived)[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(AirflowFailException, match="archived results are not what"):
        operator.execute(context())
    assert path.name in capsys.readouterr().out


def test_a_hold_says_what_it_comes_too_late_for(
    archived: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, '{"gdpr": 30}')
    assert erase() == {"erased": 1}
    command_line.main(["hold", "DSR-1", "--reason", "lawsuit", "--ledger", archived.ledger_url])
    assert "too late: the result of Adobe's job" in capsys.readouterr().err
