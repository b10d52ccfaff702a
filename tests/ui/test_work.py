"""The common jobs of a privacy officer in a real browser, each with its number of clicks."""

from __future__ import annotations

import re
import zipfile
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scripts.stack import Stack
from tests.ui.conftest import DONE, OF_BRAZIL, Clicks, OpenAs
from tests.ui.test_page import faults, opened

CASE = "CASE-2026-4711"
PERSON = "jane.roe@example.com"


def test_a_request_is_found_by_a_part_of_its_id(officer: Page, click: Clicks) -> None:
    frame = opened(officer)
    frame.get_by_role("searchbox").fill(DONE[-6:].lower())
    click(frame.get_by_role("button", name="Find", exact=True))
    expect(frame.get_by_role("heading", name=DONE)).to_be_visible()
    assert click.count == 1


def test_what_is_late_is_one_click_away(officer: Page, click: Clicks) -> None:
    frame = opened(officer)
    click(frame.get_by_role("navigation", name="What needs a look").get_by_role("link", name="overdue"))
    expect(frame.get_by_text("3 days late")).to_be_visible()
    assert click.count == 1


def test_the_list_is_exported(officer: Page, click: Clicks) -> None:
    frame = opened(officer)
    with officer.expect_download() as download:
        click(frame.get_by_role("link", name="Download these jobs (CSV)"))
    assert download.value.path().read_text().startswith("request_id,")
    assert click.count == 1


def test_a_result_is_found_and_taken_out(officer: Page, click: Clicks) -> None:
    frame = opened(officer)
    frame.get_by_role("searchbox").fill(OF_BRAZIL)
    click(frame.get_by_role("button", name="Find", exact=True))
    with officer.expect_download() as download:
        click(frame.get_by_role("link", name="Download the result"))
    assert zipfile.is_zipfile(download.value.path())
    assert click.count == 2
    officer.goto("/privacy/decisions?what=downloaded")
    expect(officer.get_by_role("row", name=OF_BRAZIL).first).to_contain_text("officer")


def test_several_are_listed_and_none_is_said(officer: Page) -> None:
    frame = opened(officer)
    frame.get_by_role("searchbox").fill("dsr-2026-0001")
    frame.get_by_role("button", name="Find", exact=True).click()
    found = frame.locator("#found")
    expect(found.get_by_role("link", name=DONE)).to_be_visible()
    expect(found.get_by_role("link", name=OF_BRAZIL)).to_be_visible()
    frame.get_by_role("searchbox").fill("no-such-id")
    officer.keyboard.press("Enter")
    expect(found.get_by_role("heading", name="No request found")).to_be_visible()


def test_a_new_request_lies_in_todays_folder_and_is_sent_now(
    officer: Page, click: Clicks, stack: Stack, today: date
) -> None:
    frame = opened(officer)
    click(frame.get_by_role("link", name="New request"))
    form = frame.get_by_role("form", name="New request")
    form.get_by_label("Request id").fill(CASE)
    form.get_by_label("Value").fill(PERSON)
    click(form.get_by_label("access"))
    form.get_by_role("checkbox", name="analytics uses").check()
    form.get_by_role("button", name="Check").click()
    told = frame.locator("#told")
    expect(told).to_contain_text("analytics can use none of the identities")
    expect(told.get_by_role("heading", name="Not handed in yet")).to_be_visible()
    form.get_by_role("checkbox", name="analytics uses").uncheck()
    click(form.get_by_role("button", name="Hand in"))
    expect(told.get_by_role("heading", name="Handed in", exact=True)).to_be_visible()
    assert click.count == 3
    assert PERSON not in officer.url
    (file,) = (stack_inbox(stack) / f"{today}").glob("page-*.json")
    assert PERSON in file.read_text()
    with stack.api() as api:
        api.patch("/dags/privacy_requests", json={"is_paused": True}).raise_for_status()
        told.get_by_role("button", name="Send now").click()
        expect(told.get_by_role("link", name="Open the run")).to_be_visible()
        told.get_by_role("button", name="Unpause the DAG").click()
        expect(told).to_contain_text("The DAG privacy_requests is no longer paused.")
        assert not api.get("/dags/privacy_requests").raise_for_status().json()["is_paused"]
    officer.goto(f"/privacy/request?id={CASE}")
    expect(officer.get_by_text(CASE).first).to_be_visible()
    officer.goto("/privacy/new")
    officer.get_by_role("button", name="Take the next id").click()
    expect(officer.get_by_label("Request id")).to_have_value(f"PR-{today.year}-000001")


def stack_inbox(stack: Stack) -> Path:
    return Path(stack.data) / "inbox"


def test_an_upload_is_shown_line_by_line_before_it_is_kept(
    officer: Page, stack: Stack, today: date, tmp_path: Path
) -> None:
    file = tmp_path / "Jane Roe.csv"
    file.write_text(
        "request_id;regulation;actions;email;products\n"
        "UP-1;gdpr;access;up1@example.com;marketo\n"
        "UP-2;gdpr;access;nobody;marketo\n"
    )
    frame = opened(officer, "new")
    upload = frame.get_by_role("form", name="Upload a file")
    upload.locator("input[type=file]").set_input_files(file)
    upload.get_by_role("button", name="Preview").click()
    told = frame.locator("#told")
    expect(told).to_contain_text("1 can be handed in, 1 refused")
    expect(told.get_by_role("row", name="3 UP-2 refused")).to_contain_text("not exactly one e-mail address")
    folder = stack_inbox(stack) / f"{today}"
    assert list(folder.glob("page-*.csv")) == []
    upload.get_by_role("button", name="Hand in 1 of 2 requests").click()
    expect(told.get_by_role("heading", name="Handed in", exact=True)).to_be_visible()
    assert [path.read_bytes() for path in folder.glob("page-*.csv")] == [file.read_bytes()]


def test_a_file_is_dropped_onto_the_form(officer: Page) -> None:
    frame = opened(officer, "new")
    upload = frame.get_by_role("form", name="Upload a file")
    upload.evaluate(
        """(form, text) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([text], "dropped.csv", { type: "text/csv" }));
            form.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        "request_id,regulation,actions,email\nDROP-1,gdpr,access,drop1@example.com\n",
    )
    upload.get_by_role("button", name="Preview").click()
    expect(frame.locator("#told")).to_contain_text("DROP-1")
    expect(upload.get_by_role("button", name="Hand in 1 of 1 request", exact=True)).to_be_visible()


def test_a_person_is_looked_for_in_a_body(officer: Page, click: Clicks) -> None:
    frame = opened(officer)
    click(frame.get_by_text("Find a person's requests"))
    frame.get_by_role("form", name="Find a person's requests").get_by_label("Value").fill("no@example.com")
    click(frame.get_by_role("button", name="Find the person"))
    expect(frame.get_by_role("heading", name="No request found")).to_be_visible()
    assert click.count == 2
    officer.goto("/privacy/decisions?what=searched")
    row = officer.get_by_role("row", name="officer searched").first
    expect(row).to_contain_text("for a person, by email: 0 requests found")
    assert "no@example.com" not in officer.content()


def test_ten_are_held_for_one_reason_and_released_by_a_pasted_list(officer: Page, click: Clicks) -> None:
    frame = opened(officer)
    click(frame.get_by_role("region", name="Jobs by state").get_by_role("link", name=re.compile("^At Adobe")))
    expect(frame.get_by_role("heading", name="Jobs: At Adobe")).to_be_visible()
    rows = frame.locator("table.jobs tbody tr")
    ids = rows.locator("th a").all_inner_texts()
    assert len(ids) >= 10
    # One of the history is on hold before.
    free = rows.filter(has_not_text="on hold").locator("th a").first.inner_text()
    click(frame.get_by_label("Select all on this page"))
    click(frame.get_by_role("button", name="Decide on several"))
    dialog = frame.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("a lawsuit")
    click(dialog.get_by_role("button", name="Decide"))
    expect(frame.locator("table.jobs .held")).to_have_count(len(ids))
    assert click.count == 4

    frame.get_by_role("button", name="Decide on several").click()
    dialog.get_by_label("Decision").select_option("release")
    dialog.get_by_label("Request ids").fill("\n".join([*ids, "DSR-UNKNOWN-1"]))
    dialog.get_by_label("Reason").fill("settled")
    dialog.get_by_role("button", name="Decide").click()
    expect(dialog).to_contain_text("The ledger does not have the ids that are left above")
    expect(dialog.get_by_label("Request ids")).to_have_value("DSR-UNKNOWN-1")
    officer.goto("/privacy/decisions")
    expect(officer.get_by_role("row", name=f"officer released {free} settled")).to_be_visible()
    expect(officer.get_by_role("row", name=f"officer put on hold {free} a lawsuit")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_fault_in_the_dialog_for_many(open_as: OpenAs, dark: bool) -> None:
    page = open_as("officer", dark=dark)
    page.goto("/privacy/")
    page.get_by_role("button", name="Decide on several").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert faults(page.main_frame) == []


def test_a_reader_hands_nothing_in(open_as: OpenAs) -> None:
    page = open_as("reader")
    page.goto("/privacy/new")
    expect(page.get_by_text("You need the right to edit the DAG privacy_requests.")).to_be_visible()
    page.goto("/privacy/")
    expect(page.get_by_role("link", name="New request")).to_have_count(0)
