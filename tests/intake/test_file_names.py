"""A file's name that may be a person's reaches no log, ledger or error."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from adobe_privacy.intake.found_again import requests_of
from adobe_privacy.intake.inbox import as_shown, shown_name
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import InboxProblem, Job
from adobe_privacy.planning.planning import Plan, PlanSettings, plan_day
from adobe_privacy.reporting.run_report import plan_lines
from adobe_privacy.storage import ObjectNotFound, StorageError, open_store
from tests.support.ledgers import DAY


def line(number: int) -> str:
    identities = [{"namespace": "email", "value": f"subject{number}@example.com"}]
    request = {
        "request_id": f"DSR-{number}",
        "regulation": "gdpr",
        "actions": ["access"],
        "products": ["marketo"],
    }
    return json.dumps(request | {"identities": identities}) + "\n"


PERSONS = [
    "zzmarker@example.com.jsonl",
    "Zzmarker Smith.jsonl",
    "zzmarker.smith.jsonl",
    "request-of-Zzmarker.jsonl",
    "ZzmarkerSmith.jsonl",
    "requests 0151-2345678 Zzmarker.jsonl",
]


@pytest.mark.parametrize(
    "name", [*PERSONS, "+49 151 2345678.csv", "0151.234.5678.csv", "Müller.csv", "notes.txt"]
)
def test_a_name_that_may_be_a_persons_is_not_shown(name: str) -> None:
    shown = shown_name(f"{DAY}/{name}", "0123456789abcdef")
    assert shown == f"file-01234567{Path(name).suffix}"


@pytest.mark.parametrize(
    "name",
    [
        "requests.csv",
        "DSR_Requests_2026-11-20.jsonl",
        "gdpr-access-requests.json",
        "export20261120093000.csv",
        "Privacy Requests November 2026 (final).CSV",
        "GDPR_EXPORT.csv",
        "mixed.csv",
        "page-abcdef0123456789feedbead.jsonl",
        "emea-requests-part-02.csv",
    ],
)
def test_an_ordinary_name_is_shown(name: str) -> None:
    assert shown_name(f"{DAY}/{name}", "0123456789abcdef") == name


@pytest.mark.parametrize("name", PERSONS)
def test_such_a_file_is_read_planned_and_found_again(name: str, tmp_path: Path, ledger: Ledger) -> None:
    inbox = open_store(f"file://{tmp_path}")
    inbox.write(f"{DAY}/{name}", (line(1) + "{zzmarker}\n").encode())
    inbox.write(f"{DAY}/Zzmarker Empty.jsonl", b"")
    inbox.write(f"{DAY}/Zzmarker.txt", b"x")
    plan = _plan(inbox, ledger)
    told = "\n".join(plan_lines(plan))
    assert (plan.intake.new, plan.intake.rejected) == (1, 1)
    assert "Rejected: 2026-11-20/file-" in told
    assert "zzmarker" not in told.lower()
    with ledger.unit.read() as session:
        jobs = list(session.scalars(select(Job)))
        kept = [job.source for job in jobs] + [row.file for row in session.scalars(select(InboxProblem))]
    assert "zzmarker" not in " ".join(kept).lower()
    found = requests_of(jobs, inbox, ledger).requests
    assert found["DSR-1"].identities[0].value == "subject1@example.com"
    os.unlink(tmp_path / str(DAY) / name)
    assert requests_of(jobs, inbox, ledger).requests == {}


def test_an_error_of_the_store_names_the_file_as_it_is_shown() -> None:
    source = f"{DAY}/Jane Doe.csv"
    with pytest.raises(StorageError) as raised, as_shown(source, f"{DAY}/file-1.csv"):
        raise ObjectNotFound(
            f"file:///inbox/{DAY}/Jane%20Doe.csv does not exist", uri=f"file:///inbox/{source}"
        )
    assert type(raised.value) is ObjectNotFound
    assert "Jane" not in str(raised.value) + raised.value.uri
    assert "file-1.csv" in raised.value.uri


def test_the_plan_says_what_each_file_was_taken_for(tmp_path: Path, ledger: Ledger) -> None:
    inbox = open_store(f"file://{tmp_path}")
    table = "Request ID;Regulation;Actions;Products;E-Mail\nDSR-1;gdpr;access;marketo;a@example.com\n"
    inbox.write(f"{DAY}/requests.csv", table.encode("utf-16"))
    inbox.write(f"{DAY}/requests.jsonl", line(2).encode())
    inbox.write(f"{DAY}/unknown.csv", b"a,b\n1,2\n")
    told = plan_lines(_plan(inbox, ledger))
    columns = "1 request_id, 2 regulation, 3 actions, 4 products, 5 email"
    assert f"Read: {DAY}/requests.csv as table, separator semicolon, UTF-16; columns: {columns}" in told
    assert f"Read: {DAY}/requests.jsonl as JSON lines, UTF-8" in told
    assert f"Read: {DAY}/unknown.csv as nothing that holds requests" in told


def _plan(inbox: object, ledger: Ledger, day: date = DAY) -> Plan:
    return plan_day(inbox, ledger, day=day, run_id="run", settings=PlanSettings())  # type: ignore[arg-type]
