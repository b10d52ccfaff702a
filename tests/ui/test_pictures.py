"""The pictures of the README and the documents: `make pictures` takes them anew. Look at them."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Page, expect

from scripts.stack import ROOT, Stack
from tests.ui.conftest import DONE, OpenAs
from tests.ui.test_page import alone, opened

IMAGES = ROOT / "docs" / "images"
pytestmark = pytest.mark.skipif(not os.environ.get("PICTURES"), reason="PICTURES is not set")


def take(page: Page, name: str) -> None:
    page.mouse.move(700, 5)
    page.wait_for_timeout(1000)
    page.screenshot(path=IMAGES / f"{name}.png")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page(open_as: OpenAs, theme: str) -> None:
    page = open_as("admin", theme=theme)
    expect(opened(page).locator("table.jobs")).to_be_visible()
    take(page, f"privacy-requests-{theme}")


def test_what_needs_a_person(open_as: OpenAs) -> None:
    page = open_as("admin", theme="light")
    expect(opened(page, "?attention=error#rows").locator("table.jobs")).to_be_visible()
    take(page, "needs-a-person")


def test_a_request(open_as: OpenAs) -> None:
    page = open_as("admin", theme="light")
    expect(opened(page, f"request?id={DONE}").locator(".timeline").first).to_be_visible()
    take(page, "request")


def test_the_page_on_a_phone(open_as: OpenAs) -> None:
    page = open_as("admin", width=375, height=812)
    expect(alone(page).locator("ul.concerns")).to_be_visible()
    take(page, "phone")


def test_a_new_request(open_as: OpenAs) -> None:
    page = open_as("admin", theme="light")
    form = opened(page, "new").get_by_role("form", name="New request")
    form.get_by_label("Request id").fill("DSR-2026-000900")
    form.get_by_label("access").check()
    form.get_by_label("Value").fill("jane@example.com")
    take(page, "new-request")


def test_a_run(stack: Stack, open_as: OpenAs) -> None:
    run = next(run for run in stack.runs("privacy_requests") if run["state"] == "failed")
    page = open_as("admin", theme="light")
    page.goto(f"/dags/privacy_requests/runs/{run['dag_run_id']}")
    expect(page.get_by_text("ended in error")).to_be_visible()
    expect(page.get_by_text("batch.archive").first).to_be_visible()
    take(page, "dag-run")
