"""What a decision did not change is said: a page that only loads again looks as if it were done. Needs no Airflow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from adobe_privacy.web.pages import FILES, HERE

HOME = "http://page.example.com/privacy/"
HEAD = '<!doctype html><script src="static/page.js"></script><script src="static/work.js"></script>'


def dialog_of(template: str, name: str) -> str:
    """A dialog as the template has it, without what only the server fills in."""
    text = (HERE / "templates" / template).read_text()
    found = re.search(rf'<dialog id="{name}".*?</dialog>', text, re.DOTALL)
    assert found
    return re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", found[0], flags=re.DOTALL)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def opened(page: Page, body: str, answer: dict[str, Any]) -> list[str]:
    """Shows `body`, whose calls are given `answer`. Returns the addresses of the page's own loads."""
    loads: list[str] = []

    def serve(route: Route) -> None:
        name = route.request.url.rsplit("/", 1)[-1]
        if route.request.method == "POST":
            route.fulfill(body=json.dumps(answer), content_type="application/json")
        elif name in FILES:
            route.fulfill(body=FILES[name], content_type="text/javascript")
        elif route.request.url == HOME:
            loads.append(route.request.url)
            route.fulfill(body=HEAD + body, content_type="text/html")
        else:
            route.fulfill(status=404)

    page.route("**/*", serve)
    page.goto(HOME)
    return loads


@pytest.mark.parametrize(
    ("template", "name"), [("request.html", "decision"), ("needs.html", "decision"), ("jobs.html", "many")]
)
def test_what_was_seen_goes_with_each_decision(page: Page, template: str, name: str) -> None:
    button = '<button data-decision="close" data-many="close">Close</button><i id="open-many"></i>'
    if template == "needs.html":
        place = 'data-folder="2026-11-20" data-file="a.jsonl" data-seen="7"'
        button = f'<button data-decision="close-line" {place}>Close</button>'
    dialog = dialog_of(template, name).replace('data-seen=""', 'data-seen="7"')
    opened(page, button + dialog, {"changed": 1, "requests": {}, "unknown": []})
    page.locator("button").first.click()
    if name == "many":
        page.locator("#many [name=ids]").fill("DSR-1")
    page.locator(f"#{name} [name=reason]").fill("not needed")
    with page.expect_request("**/api/*") as asked:
        page.locator(f"#{name} [type=submit]").click()
    assert json.loads(asked.value.post_data or "{}")["seen"] == 7


def test_of_many_what_has_changed_since_is_named(page: Page) -> None:
    answer = {"changed": 1, "requests": {"DSR-1": 1}, "unknown": [], "stale": ["DSR-2"]}
    loads = opened(page, '<button id="open-many">Many</button>' + dialog_of("jobs.html", "many"), answer)
    page.locator("#open-many").click()
    page.locator("#many [name=decision]").select_option("close")
    page.locator("#many [name=ids]").fill("DSR-1\nDSR-2")
    page.locator("#many [name=reason]").fill("not needed")
    page.locator("#many [type=submit]").click()
    expect(page.locator("#many .failure")).to_have_text(
        "1 jobs changed. Not decided, since they have changed since this page was loaded: DSR-2. Load it again."
    )
    assert len(loads) == 1
    # The page is loaded again when the dialog has closed.
    with page.expect_navigation():
        page.locator("#many [data-cancel]").click()
    assert len(loads) == 2


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"changed": 0}, "Nothing was changed: this page was out of date, or somebody else decided first."),
        (
            {
                "changed": 0,
                "inbox_file": "its inbox file was erased on 2026-11-20: hand the request in again",
            },
            "Nothing was changed: its inbox file was erased on 2026-11-20: hand the request in again.",
        ),
        ({"changed": 1}, None),
    ],
)
def test_of_one_request(page: Page, answer: dict[str, Any], says: str | None) -> None:
    button = '<button data-decision="resend">Send again</button>'
    loads = opened(page, button + dialog_of("request.html", "decision"), answer)
    page.locator("[data-decision]").click()
    page.locator("#decision textarea").fill("corrected at Target")
    with page.expect_response("**/api/resend"):
        page.locator("#decision [type=submit]").click()
    if says is None:
        expect(page.locator("#decision")).to_be_hidden()
        assert len(loads) == 2
    else:
        expect(page.locator("#decision .failure")).to_have_text(says)
        assert len(loads) == 1


def test_of_many(page: Page) -> None:
    answer = {"changed": 1, "requests": {"DSR-1": 1, "DSR-2": 0}, "unknown": []}
    loads = opened(page, '<button id="open-many">Many</button>' + dialog_of("jobs.html", "many"), answer)
    page.locator("#open-many").click()
    page.locator("#many [name=decision]").select_option("resend")
    page.locator("#many [name=ids]").fill("DSR-1\nDSR-2")
    page.locator("#many [name=reason]").fill("corrected at Target")
    with page.expect_response("**/api/decide"):
        page.locator("#many [type=submit]").click()
    expect(page.locator("#many .failure")).to_have_text("1 jobs changed. Nothing was changed for DSR-2.")
    assert len(loads) == 1
