"""The jobs as CSV."""

from __future__ import annotations

import csv
import gc
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest
from sqlalchemy import event

from adobe_privacy.api.names import Verdict
from adobe_privacy.command_line import main
from adobe_privacy.command_places import Places
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.overview import EXPORTED_AT_ONCE, Filters
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job
from adobe_privacy.reporting.export import as_json_list, export_csv
from adobe_privacy.results.verdicts import Answer
from adobe_privacy.setting_values import ConnectionFields
from adobe_privacy.settings import Settings, read_all
from tests.support.ledgers import DAY, received


@pytest.fixture
def ledger_with_verdicts(ledger: Ledger) -> Ledger:
    """DSR-0 is done in part: Target looked for nobody. DSR-1 waits for Adobe's answer."""
    ledger.intake.receive([received(number, "delete", products="analytics,target") for number in range(2)])
    batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=100)
    assert batch is not None
    jobs = ledger.intents.intend(
        batch.id, [job.id for job in ledger.claims.batch_jobs(batch.id)], daily_limit=100
    )
    made = [(job, f"=adobe-{job.id}") for job in jobs]
    ledger.intents.record_submitted(made, adobe_request_id=None, reason="Adobe's answer")
    answers = (
        Answer("analytics", "Analytics", Verdict.DONE, code="6000-200"),
        Answer("target", "Target", Verdict.WRONG_NAMESPACE, code="6053-200"),
    )
    job = ledger.people.request_jobs("DSR-0")[0]
    ledger.results.record_complete([FinishedJob(job, None, Verdict.IN_PART, "6053-200", answers)])
    ledger.results.record_archived({job.id: "m"})
    return ledger


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_says_what_each_product_answered_and_what_to_do(ledger_with_verdicts: Ledger) -> None:
    [row] = rows("".join(export_csv(ledger_with_verdicts, Filters(verdict=Verdict.IN_PART))))
    assert (row["request_id"], row["state"], row["outcome"]) == ("DSR-0", "archived", "in part")
    assert row["answers"] == "Analytics: done 6000-200; Target: wrong namespace 6053-200"
    assert row["to_do"].startswith(
        "6053 at Target: the namespace is not one that Target knows; send a new request"
    )
    assert row["received_at"] == "2026-11-20T09:30:00Z"
    # A spreadsheet must not run it.
    assert row["adobe_job_id"].startswith("'=adobe-")


def test_nothing_found_is_the_headings_alone(ledger_with_verdicts: Ledger) -> None:
    assert rows("".join(export_csv(ledger_with_verdicts, Filters(request_id="nobody")))) == []


@pytest.mark.parametrize("exported", [export_csv, as_json_list])
def test_of_a_long_list_only_some_rows_are_held(
    ledger: Ledger, exported: Callable[[Ledger, Filters], Iterator[str]]
) -> None:
    ledger.intake.receive([received(number) for number in range(6 * EXPORTED_AT_ONCE)])
    alive: WeakSet[Job] = WeakSet()

    def note(job: Job, _: Any) -> None:
        alive.add(job)

    event.listen(Job, "load", note)
    try:
        parts, most = [], 0
        for part in exported(ledger, Filters()):
            parts.append(part)
            gc.collect()
            most = max(most, len(alive))
    finally:
        event.remove(Job, "load", note)
    assert "".join(parts).count("DSR-") >= 6 * EXPORTED_AT_ONCE
    assert len(parts) <= 8, "each part is a hop between threads: they are pages, not rows"
    assert 0 < most <= 2 * EXPORTED_AT_ONCE


def export(ledger_url: str, *arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    address = ledger_url.replace("+psycopg", "")
    assert main(["export", "--ledger", address, *arguments]) == 0
    return capsys.readouterr().out


def test_the_command_has_the_pages_filters(
    ledger_with_verdicts: Ledger, ledger_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def found(*arguments: str) -> list[str]:
        return [row["request_id"] for row in rows(export(ledger_url, *arguments, capsys=capsys))]

    assert found() == ["DSR-1"]
    assert sorted(found("--state", "all")) == ["DSR-0", "DSR-1"]
    assert found("--code", "6053", "--product", "target") == ["DSR-0"]
    assert found("--verdict", "wrong namespace") == ["DSR-0"]
    assert found("--verdict", "in part", "--product", "analytics") == []
    assert found("--state", "all", "--from", str(DAY + timedelta(days=1))) == []
    assert found("--attention", "not_done", "--action", "delete", "--regulation", "gdpr") == ["DSR-0"]
    told = json.loads(export(ledger_url, "--request", "DSR-0", "--json", capsys=capsys))
    assert told[0]["answers"] == "Analytics: done 6000-200; Target: wrong namespace 6053-200"
    file = tmp_path / "jobs.csv"
    assert export(ledger_url, "--batch", "none", "--output", str(file), capsys=capsys) == ""
    assert rows(file.read_text()) == []
    with pytest.raises(SystemExit):
        main(["export", "--ledger", ledger_url.replace("+psycopg", ""), "--output", str(file)])
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "found"),
    [
        ({"products": ["Adobe Target", "analytics"]}, ["DSR-9"]),
        ({"products": ["marketo"]}, []),
        # An export tells what the ledger holds, whatever is wrong with the connection.
        ({"products": ["nonsense"]}, []),
        (None, []),
    ],
)
def test_a_request_without_products_is_found_by_the_connections_default_ones(
    ledger: Ledger,
    ledger_url: str,
    extra: dict[str, Any] | None,
    found: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    ledger.intake.receive([received(9, products=""), received(8, products="campaign")])
    connection = ConnectionFields(
        "adobe_privacy_default",
        conn_type="adobe_privacy",
        login="client",
        password="not-a-secret",
        extra=json.dumps({"org_id": "X@AdobeOrg"} | (extra or {})),
    )

    def settings() -> Settings:
        return read_all(
            lambda name: connection if name == "adobe_privacy_default" else None, lambda _name: None
        )

    places = Places(
        lambda actor, *, existing: Ledger(ledger_url, actor=actor, existing=existing),
        lambda: pytest.fail("an export needs no archive"),
        settings if extra is not None else None,
    )
    assert main(["export", "--product", "target"], places=lambda _organisation: places) == 0
    assert [row["request_id"] for row in rows(capsys.readouterr().out)] == found
    # Only where a product is asked for.
    assert main(["export"], places=lambda _organisation: replace(places, settings=pytest.fail)) == 0


@pytest.mark.parametrize("wrong", [("--code", "nonsense"), ("--verdict", "perfect"), ("--state", "lost")])
def test_what_cannot_be_meant_is_refused(wrong: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export", *wrong])
    assert ended.value.code == 2
    assert wrong[1] in capsys.readouterr().err


def test_show_tells_what_each_product_answered_and_what_to_do(
    ledger_with_verdicts: Ledger, ledger_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "DSR-0", "--ledger", ledger_url.replace("+psycopg", "")]) == 0
    text = capsys.readouterr().out
    assert "6053 at Target: the namespace is not one that Target knows; send a new request" in text
    assert "Invalid namespace" in text
