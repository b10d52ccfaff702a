"""A person decides in Airflow's own UI which deletes are sent, and on our page what is held back."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.states import JobState
from scripts.stack import Stack
from tests.support.airflow import can_be_answered, deletes_need_approval, questions, until
from tests.ui.conftest import RUNS, Clicks, OpenAs, wait_for_runs
from tests.ui.test_page import opened

SENT, HELD_IN_QUESTION, HELD_ON_PAGE, REJECTED = (f"DSR-2026-ASK-{number}" for number in (1, 2, 3, 4))
LAWS = {SENT: "gdpr", HELD_IN_QUESTION: "gdpr", HELD_ON_PAGE: "gdpr", REJECTED: "ccpa"}


def test_a_person_approves_a_batch_and_holds_others_back(
    stack: Stack, open_as: OpenAs, today: date, click: Clicks
) -> None:
    page = open_as("officer")
    with deletes_need_approval(stack):
        run_id = run_with_deletes(stack, today - timedelta(days=1))
        wait_for_questions(stack, run_id, 2)
        waiting = opened(page).get_by_role("row", name=SENT)
        click(waiting.get_by_role("link", name="Answer the questions"))
        click(page.get_by_role("link", name="Send 3 deletes (gdpr) to Adobe?"))
        approve = page.get_by_role("button", name="Approve")
        expect(approve).to_be_visible()
        question = page.url

        page.goto(page.get_by_role("link", name="The requests").get_attribute("href") or "")
        expect(page.locator("table.jobs tbody th")).to_have_text([HELD_ON_PAGE, HELD_IN_QUESTION, SENT])
        hold(page, HELD_ON_PAGE)

        page.goto(question)
        page.locator("textarea[name=element_hold]").fill(HELD_IN_QUESTION)
        click(approve)
        expect(page.get_by_text("officer")).to_be_visible()
        assert click.count == 3

        open_question(page, "Send 1 delete (ccpa) to Adobe?")
        page.get_by_role("button", name="Reject").click()
        expect(page.get_by_text("officer")).to_be_visible()
        wait_for_runs(stack, RUNS + 1)

    assert keys_at_adobe(stack) & set(LAWS) == {SENT}
    with Ledger(f"sqlite:///{stack.home / 'privacy_ledger.db'}", actor="test") as ledger:
        found = {
            name: [(job.state, job.on_hold) for job in ledger.people.request_jobs(name)] for name in LAWS
        }
    assert found == {
        SENT: [(JobState.ARCHIVED, False)],
        HELD_IN_QUESTION: [(JobState.RECEIVED, True)],
        HELD_ON_PAGE: [(JobState.RECEIVED, True)],
        REJECTED: [(JobState.RECEIVED, True)],
    }
    page.goto(f"/privacy/evidence.html?id={REJECTED}")
    expect(page.get_by_role("row", name="rejected").first).to_contain_text("user officer")
    release(page, HELD_ON_PAGE)


def run_with_deletes(stack: Stack, day: date) -> str:
    """Puts the requests into the inbox and triggers privacy_requests; returns the run's id."""
    lines = [
        {"request_id": name, "regulation": law, "actions": ["delete"], "products": ["profileService"],
         "identities": [{"namespace": "email", "value": f"asked{name[-1]}@example.com"}]}
        for name, law in LAWS.items()
    ]  # fmt: skip
    folder = stack.data / "inbox" / f"{day}"
    folder.mkdir(exist_ok=True)
    (folder / "deletes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with stack.api() as api:
        made = api.post("/dags/privacy_requests/dagRuns", json={"logical_date": None, "conf": {}})
        return str(made.raise_for_status().json()["dag_run_id"])


def wait_for_questions(stack: Stack, run_id: str, count: int) -> None:
    """Until they are asked, and can be answered."""

    def asked_and_heard() -> bool:
        asked = [question["task_instance"] for question in questions(api, "privacy_requests", run_id)]
        return len(asked) == count and all(can_be_answered(stack, each) for each in asked)

    with stack.api() as api:
        until(stack, asked_and_heard, f"{count} questions were awaited", seconds=300)


def open_question(page: Page, subject: str) -> None:
    """As a person comes to it: from Airflow's list of what waits for an answer."""
    page.goto("/required_actions?response_received=false")
    page.get_by_role("link", name=subject).click()
    expect(page.get_by_role("button", name="Approve")).to_be_visible()


def hold(page: Page, request_id: str) -> None:
    page.locator("table.jobs").get_by_role("link", name=request_id).click()
    decide(page, "Put on hold", "claim 2026-18 is in court")
    expect(page.get_by_role("heading", name=request_id)).to_contain_text("on hold")
    history = page.get_by_role("region", name="History")
    expect(history).to_contain_text("Put on hold by officer: claim 2026-18 is in court.")


def release(page: Page, request_id: str) -> None:
    page.goto(f"/plugin/privacy-requests/privacy/request?id={request_id}")
    frame = page.frame_locator("iframe[title='Privacy']")
    decide(frame, "Release", "the claim is settled")
    expect(frame.get_by_role("button", name="Put on hold")).to_be_visible()
    expect(frame.get_by_role("region", name="History")).to_contain_text(
        "Released by officer: the claim is settled."
    )


def decide(where: Any, decision: str, reason: str) -> None:
    where.get_by_role("button", name=decision).click()
    dialog = where.get_by_role("dialog")
    dialog.get_by_label("Reason").fill(reason)
    dialog.get_by_role("button", name=decision).click()


def keys_at_adobe(stack: Stack) -> set[str]:
    jobs = httpx.get(f"{stack.simulator_url}/_simulator/jobs").raise_for_status().json()
    return {job["key"] for job in jobs}
