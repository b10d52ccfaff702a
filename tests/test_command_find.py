"""`find` by a person's identity, and `open` by a request's id."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from adobe_privacy.command_line import main
from adobe_privacy.command_places import Places, places_of_environment
from adobe_privacy.hooks.archive import archive_opener
from adobe_privacy.hooks.settings import read_settings
from adobe_privacy.ledger.ledger import Ledger
from tests.support.privacy import World, request
from tests.test_command_line import archive_sealed, public_key
from tests.test_command_line import finished as finished
from tests.test_command_line import key_file as key_file


def find(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], namespace: str, typed: str
) -> tuple[int, list[str], str]:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    capsys.readouterr()
    code = main(["find", "--namespace", namespace, "--json"])
    out, err = capsys.readouterr()
    return code, [row["request_id"] for row in json.loads(out)] if out else [], err


def test_a_persons_requests_are_found_and_the_value_is_kept_nowhere(
    finished: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (value,) = [each["value"] for each in request(1)["identities"] if each["namespace"] == "email"]
    assert find(monkeypatch, capsys, "email", f"  {value.upper()}\n") == (0, ["DSR-1"], "")
    code, found, err = find(monkeypatch, capsys, "email", "nobody@example.com\n")
    assert (code, found) == (0, [])
    assert "knows no request with it" in err
    assert "none of Adobe's namespaces" in find(monkeypatch, capsys, "emial", f"{value}\n")[2]
    assert find(monkeypatch, capsys, "email", "\n")[0] == 2
    with Ledger(finished.ledger_url, actor="test") as ledger:
        deeds = ledger.accesses.deeds(what="searched")
    assert len(deeds) == 3
    assert all("by command" in deed.actor and value not in deed.why for deed in deeds)
    assert value.encode() not in Path(finished.ledger_url.removeprefix("sqlite:///")).read_bytes()


def test_a_result_is_taken_out_by_the_id_of_its_request(
    finished: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (result,) = finished.archive.rglob("*.zip")
    output = tmp_path / "result.zip"
    assert main(["open", "DSR-1", "--output", str(output)]) == 0
    assert output.read_bytes() == result.read_bytes()
    assert main(["open", "DSR-1", "--output", str(tmp_path)]) == 0
    assert (tmp_path / "DSR-1-access-1.zip").read_bytes() == result.read_bytes()
    assert main(["open", "DSR-1", "--output", str(output)]) == 2
    assert "exists already" in capsys.readouterr().err
    with Ledger(finished.ledger_url, actor="test") as ledger:
        accesses = ledger.accesses.of_request("DSR-1")
    assert [access.kind for access in accesses] == ["downloaded", "downloaded"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("DSR-9", "the ledger has no request DSR-9"),
        ("DSR", "the ledger has no request DSR"),
        ("DSR-2", "DSR-2 has no result: only access jobs have one"),
    ],
)
def test_what_has_no_result_is_said(
    finished: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, says: str
) -> None:
    assert main(["open", name, "--output", str(tmp_path / "result.zip")]) == 1
    assert says in capsys.readouterr().err
    assert not list(tmp_path.glob("*.zip"))


def test_airflow_opens_an_encrypted_result_with_the_key_of_the_connection(
    world: World,
    tmp_path: Path,
    key_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    archive_sealed(world, monkeypatch, recipients=public_key(key_file))
    output = tmp_path / "result.zip"
    given = ["open", "DSR-1", "--output", str(output)]
    assert main(given) == 2, "the environment knows no key"
    assert "give --key or --kms" in capsys.readouterr().err
    secret = [line for line in key_file.read_text().splitlines() if not line.startswith("#")]
    connection = {
        "conn_type": "generic",
        "password": secret[0],
        "extra": {"recipients": public_key(key_file)},
    }
    monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_ARCHIVE_KEY", json.dumps(connection))

    def places(organisation: str) -> Places:
        return replace(places_of_environment(organisation), opener=lambda: archive_opener(read_settings()))

    assert main(given, places=places) == 0
    assert output.read_bytes()[:2] == b"PK"
