"""Files as people have them, and what must be understood of each: `files/understood.json`."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adobe_privacy.intake.inbox import Reading, read_file
from adobe_privacy.intake.request import PrivacyRequest
from adobe_privacy.storage import open_store

FILES = Path(__file__).parent / "files"
UNDERSTOOD: dict[str, dict[str, Any]] = json.loads((FILES / "understood.json").read_text())
DAY = date(2026, 11, 20)


def reading(name: str, folder: Path) -> Reading:
    store = open_store(f"file://{folder}")
    store.write(f"{DAY}/{name}", (FILES / name).read_bytes())
    return read_file(store, f"{DAY}/{name}")


def plain(request: PrivacyRequest) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "regulation": request.regulation,
        "actions": list(map(str, request.actions)),
        "products": list(request.products),
        "identities": [(each.namespace.lower(), each.value, each.type) for each in request.identities],
    }


def expected(request: dict[str, Any]) -> dict[str, Any]:
    identities = [
        (each["namespace"].lower(), each["value"], each.get("type", "standard"))
        for each in request["identities"]
    ]
    return request | {"identities": identities, "products": sorted(request["products"])}


def test_every_file_is_in_the_list() -> None:
    assert sorted(UNDERSTOOD) == sorted(
        path.name for path in FILES.iterdir() if path.name != "understood.json"
    )


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_a_file_is_understood_or_its_faults_are_named(name: str, tmp_path: Path) -> None:
    wanted = UNDERSTOOD[name]
    file = reading(name, tmp_path)
    lines = list(file)
    assert [plain(line.request) for line in lines if line.request] == [
        expected(request) for request in wanted["requests"]
    ], [line.reason for line in lines]
    refused = {str(line.number): str(line.reason) for line in lines if line.request is None}
    assert wanted.get("refused") is None or len(refused) == max(1, len(wanted["refused"]))
    assert bool(refused) == ("refused" in wanted)
    for number, reason in wanted.get("refused", {}).items():
        assert reason in refused[number]
    assert "@example.com" not in str(refused)
    assert file.taken_for.startswith(wanted.get("taken_for", ""))


def test_what_the_browser_library_deleted_is_handed_on(tmp_path: Path) -> None:
    (line,) = reading("browser-library.jsonl", tmp_path)
    assert line.request is not None
    assert [each.is_deleted_client_side for each in line.request.identities] == [False, True]
