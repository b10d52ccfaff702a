"""The connection in Airflow's UI: its form, and a Test button that really asks the service."""

from __future__ import annotations

import httpx
from playwright.sync_api import Page, expect

from scripts.stack import Stack


def test_the_form_shows_our_fields_by_their_names(page: Page) -> None:
    page.goto("/connections")
    page.get_by_role("button", name="Edit Connection").first.click()
    expect(page.get_by_text("Adobe Privacy Service")).to_be_visible()
    for label in ("API base URL", "OAuth client id", "OAuth client secret"):
        expect(page.get_by_text(label, exact=True)).to_be_visible()
    page.get_by_text("Extra Fields", exact=True).click()
    for label in ("Organisation id", "Token URL", "Products", "List lag, seconds"):
        expect(page.get_by_text(label, exact=True)).to_be_visible()
    content = page.content()
    assert "simulator-secret" not in content


def test_the_test_button_fetches_a_token_and_reads_jobs(stack: Stack, page: Page) -> None:
    page.goto("/connections")
    before = calls(stack)
    with page.expect_response("**/connections/test") as answer:
        page.get_by_role("button", name="Test Connection").first.click()
    assert answer.value.json() == {"status": True, "message": "A token was given, and jobs can be read."}
    after = calls(stack)
    assert after["token"] == before["token"] + 1
    assert after["list"] > before["list"]


def test_the_test_button_says_when_there_is_no_token(stack: Stack, page: Page) -> None:
    control = f"{stack.simulator_url}/_simulator/switches"
    httpx.post(control, json={"client_secret": "another-secret"}).raise_for_status()
    try:
        page.goto("/connections")
        with page.expect_response("**/connections/test") as answer:
            page.get_by_role("button", name="Test Connection").first.click()
        told = answer.value.json()
        assert told["status"] is False
        assert told["message"].startswith("No token: ")
    finally:
        httpx.post(control, json={"client_secret": "simulator-secret"}).raise_for_status()


def calls(stack: Stack) -> dict[str, int]:
    counters = httpx.get(f"{stack.simulator_url}/_simulator/counters").raise_for_status().json()
    return dict(counters["calls"])
