"""`python -m adobe_privacy`, as a person types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adobe_privacy.command_line import main
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
)
from tests.support.privacy import World, context, request


@pytest.fixture
def finished(world: World) -> World:
    """One request archived, one whose job ended in error."""
    world.simulator.scenario({"rules": [{"key": "DSR-2", "code": "1000-400"}], "default_delay_seconds": 1})
    world.put(request(1), request(2, "delete"))
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    world.simulator.advance(60)
    ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    return world


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    capsys.readouterr()
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_verify_says_that_an_archive_is_whole(finished: World, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run(capsys, "verify", f"file://{finished.archive}")
    assert (code, report["ok"], report["summary"]["results"]) == (0, True, 1)


def test_verify_names_the_object_that_was_changed(
    finished: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (result,) = finished.archive.rglob("*.zip")
    data = bytearray(result.read_bytes())
    data[40] ^= 1
    result.write_bytes(data)
    code, report = run(capsys, "verify", f"file://{finished.archive}")
    assert code == 1
    assert {finding["problem"] for finding in report["findings"]} >= {"wrong-sha256"}
    assert all(result.name in finding["key"] for finding in report["findings"])


def test_verify_of_a_folder_that_is_not_there_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", f"file://{tmp_path}/nowhere"]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_wrong_usage_has_a_code_of_its_own() -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["verify"])
    assert exit_.value.code == 2


def test_status_counts_jobs_by_state(finished: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "status") == (0, [{"state": "archived", "jobs": 1}, {"state": "error", "jobs": 1}])


def test_show_tells_a_requests_whole_history(finished: World, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown = run(capsys, "show", "DSR-1")
    assert code == 0
    assert [step["to"] for step in shown["history"]] == [
        "received",
        "planned",
        "submitting",
        "submitted",
        "complete",
        "archived",
    ]
    assert shown["jobs"][0]["manifest"].endswith("/manifest.json")
    assert "example.com" not in json.dumps(shown)


def test_show_of_an_unknown_request_is_an_error(finished: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "DSR-99"]) == 1
    assert "no request DSR-99" in capsys.readouterr().err


def test_an_errored_job_is_released_with_one_command_and_sent_again(
    finished: World, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = run(capsys, "release", "DSR-2", "--reason", "format corrected")
    assert code == 0
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    assert CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())["submitted"] == 1
    code, shown = run(capsys, "show", "DSR-2")
    assert (shown["jobs"][0]["attempt"], shown["jobs"][0]["state"]) == (2, "submitted")
    assert any("format corrected" in step["why"] for step in shown["history"])


def test_a_request_on_hold_is_not_planned_until_it_is_released(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.put(request(1))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context(max_jobs=None, dry_run=False))
    world.put(request(2), name="second.jsonl")
    with_hold = {"regulation": "ccpa"}
    world.put(request(3, **with_hold), name="third.jsonl")
    # Taken in without room for it, so that it waits; then put on hold.
    PlanPrivacyRequestsOperator(task_id="plan").execute(context(max_jobs=2))
    waiting = [
        number
        for number in ("DSR-2", "DSR-3")
        if run(capsys, "show", number)[1]["jobs"][0]["state"] == "received"
    ]
    assert len(waiting) == 1
    assert run(capsys, "hold", waiting[0], "--reason", "court order")[0] == 0
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    assert run(capsys, "show", waiting[0])[1]["jobs"][0]["state"] == "received"
    assert run(capsys, "release", waiting[0], "--reason", "court order ended")[0] == 0
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    assert run(capsys, "show", waiting[0])[1]["jobs"][0]["state"] == "planned"


def test_due_lists_what_must_be_answered_soon(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.put(request(1))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    assert run(capsys, "due", "--within", "0")[1] == []
    assert [row["request_id"] for row in run(capsys, "due", "--within", "400")[1]] == ["DSR-1"]


def test_without_a_ledger_the_command_says_where_it_looked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_PRIVACY_LEDGER", raising=False)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert main(["status"]) == 1
    assert f"no ledger at {tmp_path}" in capsys.readouterr().err
