"""`python -m adobe_privacy`, as a person types it."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import pwd
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.cli.cli_parser import get_parser
from pyrage import x25519

from adobe_privacy.command_line import main
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
)
from tests.storage.servers import s3_server
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


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A new key, as age-keygen writes it."""
    key = x25519.Identity.generate()
    path = tmp_path / "key.txt"
    path.write_text(f"# created: 2026-11-20\n# public key: {key.to_public()}\n{key}\n")
    return path


def public_key(key_file: Path) -> str:
    return key_file.read_text().split("public key: ")[1].split()[0]


def archive_sealed(world: World, patch: pytest.MonkeyPatch, **extra: str) -> Path:
    """One result archived for the key of a connection; gives its manifest."""
    connection = {"conn_type": "generic", "extra": extra}
    patch.setenv("AIRFLOW_CONN_PRIVACY_ARCHIVE_KEY", json.dumps(connection))
    patch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_OPTIONS", '{"key_conn_id": "privacy_archive_key"}')
    world.put(request(1))
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    world.simulator.advance(60)
    ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    (manifest,) = world.archive.rglob("manifest.json")
    return manifest


@pytest.mark.parametrize("keys_elsewhere", [False, True])
def test_open_decrypts_a_result_that_a_task_has_archived(
    world: World,
    tmp_path: Path,
    key_file: Path,
    keys_elsewhere: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = {"keys_uri": f"file://{tmp_path}/keys"} if keys_elsewhere else {}
    manifest = archive_sealed(world, monkeypatch, recipients=public_key(key_file), **place)
    more = ["--keys", place["keys_uri"]] if keys_elsewhere else []
    output = tmp_path / "result.zip"
    for uri, given in ((manifest, ["--key", str(key_file)]), (manifest.parent, ["--key", str(key_file)])):
        code, report = run(capsys, "open", f"file://{uri}", "--output", str(output), *given, *more)
        assert (code, report["ok"]) == (0, True)
        assert zipfile.ZipFile(output).testzip() is None
        assert hashlib.sha256(output.read_bytes()).hexdigest() == json.loads(manifest.read_text())["sha256"]
        assert not list(world.archive.rglob("*.zip"))
        output.unlink()
    assert main(["verify", f"file://{world.archive}"]) == 0
    assert main(["verify", f"file://{world.archive}", "--key", str(key_file), *more]) == 0


def test_open_unwraps_by_kms(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with s3_server() as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        key_id = boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
        aws = {"conn_type": "aws", "extra": {"endpoint_url": server.endpoint, "region_name": "us-east-1"}}
        monkeypatch.setenv("AIRFLOW_CONN_MY_AWS", json.dumps(aws))
        manifest = archive_sealed(world, monkeypatch, kms_key_id=key_id, aws_conn_id="my_aws")
        output = tmp_path / "result.zip"
        assert main(["open", f"file://{manifest}", "--output", str(output), "--kms"]) == 0
        assert zipfile.ZipFile(output).testzip() is None


def test_open_says_why_it_does_not_open(
    world: World,
    tmp_path: Path,
    key_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    manifest = archive_sealed(world, monkeypatch, recipients=public_key(key_file))
    output = tmp_path / "result.zip"
    there = ["open", f"file://{manifest}", "--output", str(output)]

    def said(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(list(arguments))
        out, err = capsys.readouterr()
        assert not output.exists()
        return code, out + err

    code, text = said(*there)
    assert (code, "give --key or --kms" in text) == (2, True)
    code, text = said(*there, "--key", str(tmp_path / "none"))
    assert (code, "No such file" in text) == (2, True)
    stranger = tmp_path / "stranger.txt"
    stranger.write_text(str(x25519.Identity.generate()))
    code, text = said(*there, "--key", str(stranger))
    assert (code, "wrapped for another key" in text) == (1, True)
    (result,) = manifest.parent.glob("*.age")
    result.write_bytes(result.read_bytes()[:-1])
    code, text = said(*there, "--key", str(key_file))
    assert (code, "not those that were archived" in text) == (1, True)
    code, text = said("open", f"file://{world.archive}", "--output", str(output))
    assert (code, "is no job's" in text) == (2, True)


def test_open_takes_out_what_is_not_encrypted_as_well(
    finished: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (result,) = finished.archive.rglob("*.zip")
    output = tmp_path / "copy.zip"
    arguments = ["open", f"file://{result.parent}", "--output", str(output)]
    assert main(arguments) == 0
    assert output.read_bytes() == result.read_bytes()
    assert main(arguments) == 2
    assert "exists already" in capsys.readouterr().err


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


def test_an_errored_job_is_sent_again_with_one_command(
    finished: World, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = run(capsys, "resend", "DSR-2", "--reason", "format corrected")
    assert code == 0
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    assert CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())["submitted"] == 1
    code, shown = run(capsys, "show", "DSR-2")
    assert (shown["jobs"][0]["attempt"], shown["jobs"][0]["state"]) == (2, "submitted")
    assert any("format corrected" in step["why"] for step in shown["history"])


@pytest.mark.parametrize("decision", ["release", "resend", "close", "extend"])
def test_a_decision_by_what_show_printed_is_refused_once_that_has_changed(
    finished: World, capsys: pytest.CaptureFixture[str], decision: str
) -> None:
    if decision == "release":
        run(capsys, "hold", "DSR-2", "--reason", "court order")
    until = ("--until", "2027-01-31") if decision == "extend" else ()
    decide = (decision, "DSR-2", *until, "--reason", "as seen", "--seen")
    seen = run(capsys, "show", "DSR-2")[1]["seen"]
    assert main(["show", "DSR-2"]) == 0
    assert capsys.readouterr().out.endswith(f"seen: {seen}\n")
    run(capsys, "release" if decision == "release" else "hold", "DSR-2", "--reason", "by somebody else")
    if decision == "release":
        run(capsys, "hold", "DSR-2", "--reason", "another court order")
    history = run(capsys, "show", "DSR-2")[1]["history"]
    assert main([*decide, str(seen)]) == 1
    assert "DSR-2 has changed since it was shown: look at it again" in capsys.readouterr().err
    shown = run(capsys, "show", "DSR-2")[1]
    assert shown["history"] == history
    assert run(capsys, *decide, str(shown["seen"]))[0] == 0


def test_closing_a_file_by_what_attention_printed_is_refused_once_more_of_it_was_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.put({"no": "request"})
    (file,) = world.inbox.rglob("*.jsonl")
    place = f"{file.parent.name}/{file.name}"
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    seen = run(capsys, "attention")[1]["seen"]
    assert main(["attention"]) == 1
    assert capsys.readouterr().out.endswith(f"seen of the inbox: {seen}\n")
    close = ("close", place, "--reason", "as seen", "--seen")

    world.put({"no": "request"}, {"perhaps": "a request"})
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    assert main([*close, str(seen)]) == 1
    assert f"{place} has changed since it was shown: look at it again" in capsys.readouterr().err
    shown = run(capsys, "attention")[1]
    assert [item["line"] for item in shown["items"]] == [1, 2]
    assert run(capsys, *close, str(shown["seen"]))[0] == 0
    assert run(capsys, "attention")[1]["items"] == []


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


def test_a_report_counts_a_periods_requests(finished: World, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run(capsys, "report", "--from", "2026-11-20", "--to", "2026-11-20")
    assert code == 0
    rows = [
        (row["requests_to"], row["received"], row["complied"], row["denied"], row["failed"])
        for row in report["figures"]
    ]
    assert rows == [("know", 1, 1, 0, 0), ("delete", 1, 0, 0, 1)]
    _, before = run(capsys, "report", "--from", "2026-11-19", "--to", "2026-11-19")
    assert before["figures"] == []
    _, other = run(capsys, "report", "--from", "2026-11-20", "--to", "2026-11-20", "--regulation", "ccpa")
    assert other["figures"] == []
    assert main(["report", "--from", "2026-11-20", "--to", "2026-11-20"]) == 0
    assert "know" in capsys.readouterr().out


def test_a_report_is_of_last_year_where_no_period_is_given(
    finished: World, capsys: pytest.CaptureFixture[str]
) -> None:
    _, report = run(capsys, "report")
    year = datetime.now(UTC).year - 1
    assert (report["from"], report["to"]) == (f"{year}-01-01", f"{year}-12-31")


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "--from", "2026-02-30"),
        ("report", "--from", "2026-02-02", "--to", "2026-02-01"),
        ("report", "--html", "/no/such/folder/report.html"),
        ("hold", "DSR-1"),
        ("sing",),
    ],
)
def test_wrong_arguments_are_wrong_usage(
    finished: World, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_evidence_is_history_and_manifests_as_json_and_as_a_page(
    finished: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, pack = run(capsys, "evidence", "DSR-1")
    assert code == 0
    [manifest] = pack["manifests"].values()
    assert manifest["request_id"] == pack["request_id"] == "DSR-1"
    assert "example.com" not in json.dumps(pack)
    page = tmp_path / "evidence.html"
    assert main(["evidence", "DSR-1", "--html", str(page)]) == 0
    assert manifest["sha256"] in page.read_text()
    assert main(["evidence", "DSR-1", "--archive", f"file://{finished.archive}"]) == 0
    assert "manifest" in capsys.readouterr().out
    assert main(["evidence", "DSR-9"]) == 1


def test_evidence_that_the_archive_does_not_hold_is_an_error(
    finished: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in finished.archive.rglob("manifest.json"):
        path.unlink()
    code, pack = run(capsys, "evidence", "DSR-1")
    assert code == 1
    assert list(pack["manifests"].values()) == [{"problem": "it is not in the archive"}]


def test_the_history_says_which_user_put_a_request_on_hold(
    finished: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "jdoe")  # whoever calls may set it
    login = pwd.getpwuid(os.getuid()).pw_name
    assert run(capsys, "hold", "DSR-1", "--reason", "litigation")[0] == 0
    assert run(capsys, "show", "DSR-1")[1]["history"][-1]["who"] == f"user {login} by command"
    assert main(["hold", "DSR-1", "--reason", "litigation"]) == 1, "it is on hold already"


def test_verify_says_on_a_terminal_how_far_it_is(finished: World) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "adobe_privacy", "verify", f"file://{finished.archive}", "--json"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=dict(os.environ) | {"TERM": "xterm", "NO_COLOR": "1"},
        check=True,
    )
    os.close(theirs)
    assert b"1 results" in os.read(ours, 10_000)
    os.close(ours)
    assert json.loads(done.stdout)["ok"] is True


@pytest.mark.parametrize("buffered", [True, False])
def test_a_command_whose_reader_goes_away_does_not_end_as_fine(finished: World, buffered: bool) -> None:
    """`attention | head -1` in a script with `pipefail`: what was not printed may need a person."""
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, *([] if buffered else ["-u"]), "-m", "adobe_privacy", "attention"],
        stdout=theirs,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (141, b"")


def test_airflow_has_the_same_commands_and_finds_the_ledger_by_its_connection(
    finished: World, capsys: pytest.CaptureFixture[str]
) -> None:
    def airflow(*arguments: str) -> int:
        capsys.readouterr()
        options = get_parser().parse_args(["privacy", *arguments])
        with pytest.raises(SystemExit) as exit_:
            options.func(options)
        return int(exit_.value.code or 0)

    assert airflow("status", "--json") == 0
    counts = json.loads(capsys.readouterr().out)
    assert counts == [{"state": "archived", "jobs": 1}, {"state": "error", "jobs": 1}]
    assert airflow("evidence", "DSR-1") == 0, "the archive is the variable's"
    assert airflow("show", "DSR-9") == 1
    assert airflow("sing") == 2
    assert "usage: airflow privacy" in capsys.readouterr().err


def test_without_a_ledger_the_command_says_where_it_looked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_PRIVACY_LEDGER", raising=False)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert main(["status"]) == 1
    assert f"no ledger at {tmp_path}" in capsys.readouterr().err
