"""A connection that is made in Airflow's form, by typing what the form says is needed, is enough for a day's run."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from scripts.stack import Stack
from tests.support.airflow import until

CONNECTION = "adobe_privacy_default"
DAY = datetime.now(UTC).date() - timedelta(days=2)


@pytest.fixture(scope="module")
def new_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Without a connection to Adobe."""
    home = tmp_path_factory.mktemp("connection")
    request = {
        "request_id": "DSR-TYPED-1",
        "regulation": "gdpr",
        "actions": ["access"],
        "identities": [{"namespace": "email", "value": "subject@example.com"}],
        "products": ["profileService"],
    }
    folder = home / "data" / "inbox" / f"{DAY}"
    folder.mkdir(parents=True)
    (folder / "requests.jsonl").write_text(json.dumps(request) + "\n")
    with Stack(
        home / "airflow",
        home / "data",
        port=random.randrange(20_000, 30_000),
        simulator_arguments=("--port", "0"),
        prepare=lambda stack: stack.airflow("connections", "delete", CONNECTION),
    ) as stack:
        yield stack


def type_into(page: Page, label: str, text: str) -> None:
    groups = page.get_by_role("dialog").get_by_role("group")
    groups.filter(has=page.get_by_text(label, exact=True)).last.locator("input").fill(text)


def test_a_connection_typed_into_the_form_passes_the_test_and_carries_a_run(
    new_stack: Stack, browser: Browser
) -> None:
    page = browser.new_page(base_url=new_stack.url)
    page.goto("/connections")
    page.get_by_role("button", name="Add Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Connection ID").fill(CONNECTION)
    form.get_by_label("Connection Type").fill("adobe")
    page.get_by_role("option", name="Adobe Privacy Service").click()
    # The form says of these that they are needed, or that Test needs it ...
    marked = page.locator("input[placeholder*=need]")
    expect(marked).to_have_count(3)
    type_into(page, "OAuth client id", "simulator-client")
    type_into(page, "OAuth client secret", "simulator-secret")
    type_into(page, "Port", new_stack.simulator_url.rsplit(":", 1)[-1])
    # ... and the two addresses are not Adobe's here.
    type_into(page, "API base URL", "http://localhost/data/core/privacy")
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    expect(form.get_by_text("Needed.")).to_have_count(1)
    type_into(page, "Organisation id", "0123456789ABCDEF01234567@AdobeOrg")
    type_into(page, "Token URL", f"{new_stack.simulator_url}/ims/token/v3")
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()
    row = page.get_by_role("row").filter(has_text=CONNECTION)
    with page.expect_response("**/connections/test") as answer:
        row.get_by_role("button", name="Test Connection").click()
    assert answer.value.json() == {"status": True, "message": "A token was given, and jobs can be read."}

    new_stack.wait_for_dag("privacy_requests")
    new_stack.backfill("privacy_requests", f"{DAY}", f"{DAY}")
    until(new_stack, lambda: archived(new_stack, DAY), "the run of the day has not ended", seconds=600)
    (manifest,) = (Path(new_stack.data) / "archive").rglob("manifest.json")
    assert json.loads(manifest.read_text())["request_id"] == "DSR-TYPED-1"


def archived(stack: Stack, day: date) -> bool:
    states = {run["logical_date"][:10]: run["state"] for run in stack.runs("privacy_requests")}
    assert states.get(f"{day}") != "failed"
    return states.get(f"{day}") == "success"
