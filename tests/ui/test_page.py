"""The page "Privacy requests" in Airflow's UI, in a real browser."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Frame, FrameLocator, Locator, Page, expect

from adobe_privacy.ledger.attention import LASTING
from scripts.stack import Stack
from tests.support.history import UNDONE, UNDONE_AGO
from tests.ui.conftest import DONE, FAILED, OF_BRAZIL, OpenAs

PAGE = "/plugin/privacy-requests"
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
FIGURES = "report?from=2026-01-01&to=2099-12-31"
EVERY_PAGE = (
    "",
    "?state=planned",
    "?attention=overdue",
    "?attention=rejected",
    f"request?id={DONE}",
    f"request?id={FAILED}",
    "report",
    FIGURES,
    f"evidence.html?id={DONE}",
    "new",
    "decisions",
    "organisations/eu/",
)


def frame_of(page: Page) -> FrameLocator:
    return page.frame_locator("iframe[title='Privacy']")


def opened(page: Page, query: str = "") -> FrameLocator:
    """The page within Airflow, as a link from elsewhere opens it."""
    page.goto(f"{PAGE}/privacy/{query}")
    frame = frame_of(page)
    expect(frame.locator("main h1")).to_be_visible()
    return frame


def alone(page: Page, query: str = "") -> Page:
    """The page by itself, which is there sooner."""
    page.goto(f"/privacy/{query}")
    expect(page.locator("main h1")).to_be_visible()
    return page


def requests(frame: FrameLocator | Page) -> Locator:
    """The rows' links. A heading is seen before the rows are there: expect them, do not read them at once."""
    return frame.locator("table.jobs tbody th a")


class TestLogin:
    def test_one_logs_in_and_opens_it_from_the_navigation(self, stack: Stack, open_as: OpenAs) -> None:
        page = open_as(None)
        page.goto("/")
        page.get_by_label("Username").fill("officer")
        page.get_by_label("Password").fill(stack.passwords["officer"])
        page.get_by_role("button", name="Sign in").click()
        page.locator(f"a[href$='{PAGE}']").first.click()
        expect(frame_of(page).get_by_role("heading", name="Privacy requests")).to_be_visible()

    def test_an_address_leads_to_the_login_and_from_there_on(self, stack: Stack, open_as: OpenAs) -> None:
        page = open_as(None)
        page.goto("/privacy/?state=error")
        page.get_by_label("Username").fill("reader")
        page.get_by_label("Password").fill(stack.passwords["reader"])
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{stack.url}/privacy/?state=error")
        expect(page.get_by_role("heading", name="Jobs: Failed at Adobe")).to_be_visible()


class TestList:
    def test_what_is_late_is_seen_at_once_and_leads_to_the_jobs(self, page: Page) -> None:
        frame = opened(page)
        concerns = frame.get_by_role("navigation", name="What needs a look").get_by_role("link")
        assert concerns.count() == len(LASTING)
        overdue = frame.get_by_role("link", name="overdue")
        expect(overdue).to_contain_text("1 request overdue 1 job")
        overdue.click()
        expect(frame.get_by_role("heading", name="Overdue")).to_be_visible()
        expect(frame.get_by_text("What to do: Tell the person")).to_be_visible()
        expect(requests(frame)).to_have_text(["DSR-2026-000200"])
        expect(frame.get_by_text("3 days late")).to_be_visible()
        expect(page).to_have_url(re.compile(r"/plugin/privacy-requests/privacy/\?attention=overdue(#rows)?$"))

    def test_a_filter_is_kept_in_the_address(self, page: Page) -> None:
        frame = opened(page)
        form = frame.get_by_role("form", name="Filter jobs")
        form.get_by_label("State").select_option("archived")
        form.get_by_label("Regulation").select_option("lgpd_bra")
        form.locator("select[name=product]").select_option("profileService")
        form.get_by_role("button", name="Filter").click()
        expect(frame.get_by_role("heading", name="Jobs: Archived")).to_be_visible()
        expect(requests(frame)).to_have_text([OF_BRAZIL])
        page.reload()
        expect(frame.get_by_role("heading", name="Jobs: Archived")).to_be_visible()
        expect(requests(frame)).to_have_text([OF_BRAZIL])
        frame.get_by_role("link", name="Clear").click()
        expect(frame.get_by_role("heading", name="Jobs that are not archived yet")).to_be_visible()

    def test_pages_follow_each_other(self, page: Page) -> None:
        frame = alone(page, "?state=archived")
        expect(requests(frame)).to_have_count(50)
        first = requests(frame).all_inner_texts()
        frame.get_by_role("link", name="Next page").click()
        expect(frame.get_by_role("link", name="First page")).to_be_visible()
        expect(requests(frame)).to_have_count(50)
        second = requests(frame).all_inner_texts()
        assert not set(first) & set(second)

    def test_the_days_quota_and_states_are_told(self, page: Page) -> None:
        frame = alone(page)
        expect(frame.get_by_text(re.compile(r"\d+ used, 0 planned, of 20,000 jobs a day"))).to_be_visible()
        expect(frame.get_by_role("img", name="Jobs by state")).to_be_visible()
        frame.get_by_text("As a table").click()
        table = frame.get_by_role("region", name="Figures by day")
        expect(table).to_be_visible()
        day = table.get_by_role("link").last
        day.click()
        expect(frame.get_by_role("heading", name="All jobs")).to_be_visible()
        expect(requests(frame).first).to_be_visible()


class TestOneRequest:
    def test_it_tells_what_each_product_answered(self, page: Page) -> None:
        frame = alone(page, f"?request={DONE}")
        frame.get_by_role("link", name=DONE).click()
        timeline = frame.locator(".timeline")
        expect(timeline).to_contain_text("AudienceManager: in part")
        expect(timeline).to_contain_text("Analytics: done")
        expect(frame.locator("dl")).to_contain_text("archived, the manifest is written")

    def test_its_links_lead_to_run_log_batch_and_manifest(self, page: Page, today: date) -> None:
        at = f"/plugin/privacy-requests/privacy/request?id={DONE}"
        page.goto(at)
        frame = frame_of(page)
        frame.get_by_role("link", name="Open the run of its batch").click()
        expect(page).to_have_url(re.compile(r"/dags/privacy_requests/runs/backfill__[^/]+$"))
        expect(page.get_by_text("backfill__").first).to_be_visible()
        note = "3 jobs (2 access, 1 delete): 2 archived (1 not in whole), 1 ended in error"
        expect(page.get_by_text(note)).to_be_visible()

        page.goto(at)
        frame.get_by_role("row", name="About to be sent to Adobe").get_by_role(
            "link", name="Open the log"
        ).click()
        expect(page).to_have_url(re.compile(r"/runs/backfill__[^/]+/tasks/batch\.submit/mapped/\d+"))
        expect(page.get_by_text("1 submitted").or_(page.get_by_text("submitted, ")).first).to_be_visible()

        page.goto(at)
        frame.get_by_role("link", name=re.compile("^[0-9a-f-]{36}$")).click()
        expect(frame.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
        expect(requests(frame).get_by_text(DONE).first).to_be_visible()

        page.goto(at)
        frame.get_by_role("link", name="manifest.json").click()
        manifest = json.loads(frame.locator("pre").inner_text())
        assert (manifest["request_id"], manifest["completeness"]["verdict"]) == (DONE, "in part")
        with page.expect_download() as download:
            frame.get_by_role("link", name="Download the manifest").click()
        assert json.loads(download.value.path().read_text()) == manifest

    def test_an_error_is_told_in_words(self, page: Page) -> None:
        frame = alone(page, f"?request={FAILED}")
        expect(frame.locator("table.jobs")).to_contain_text(
            "1000-400: a value does not have the form that the product expects"
        )


class TestVerdicts:
    def test_what_one_product_did_not_do_is_found_read_and_sent_again(self, page: Page, today: date) -> None:
        frame = opened(page)
        form = frame.get_by_role("form", name="Filter jobs")
        form.get_by_label("Verdict").select_option("wrong namespace")
        form.locator("select[name=product]").select_option("target")
        form.get_by_label("Inbox day, from").fill(f"{today - timedelta(days=UNDONE_AGO)}")
        form.get_by_label("to", exact=True).fill(f"{today - timedelta(days=UNDONE_AGO)}")
        form.get_by_role("button", name="Filter").click()
        expect(frame.locator("table.jobs tbody tr")).to_have_count(len(UNDONE))
        assert sorted(requests(frame).all_inner_texts()) == sorted(UNDONE)
        frame.locator("table.jobs").get_by_role("link", name=UNDONE[0]).click()
        expect(
            frame.get_by_text("6053 at Target: the namespace is not one that Target knows")
        ).to_be_visible()
        frame.get_by_role("button", name="Send again").click()
        dialog = frame.get_by_role("dialog")
        dialog.get_by_label("Reason").fill("the namespace is set up at Target now")
        dialog.get_by_role("button", name="Send again").click()
        expect(
            frame.get_by_role("row", name="To be sent again by admin: the namespace is set up")
        ).to_be_visible()
        expect(frame.get_by_role("button", name="Send again")).to_have_count(0)

    def test_on_a_phone_the_list_of_what_needs_a_person_is_not_squeezed(self, open_as: OpenAs) -> None:
        page = open_as("admin", width=375, height=812)
        page.goto("/privacy/")
        expect(page.locator("table.needs tbody tr").first).to_be_visible()
        widths = page.evaluate("""[...document.querySelectorAll("table.needs tbody tr:first-child > *")]
            .map(each => each.getBoundingClientRect().width)""")
        assert min(widths) > 300
        assert page.evaluate("document.documentElement.scrollWidth") <= 375


class TestForPeople:
    def test_on_a_phone_a_tiles_rows_are_in_sight_after_the_tap(self, open_as: OpenAs) -> None:
        page = open_as("admin", width=375, height=812)
        page.goto("/privacy/")
        page.get_by_role("link", name="overdue").click()
        row = page.locator("table.jobs tbody tr").first
        expect(row).to_be_visible()
        expect(row).to_be_in_viewport()

    def test_times_are_in_the_zone_of_airflow_with_utc_on_hover(self, open_as: OpenAs) -> None:
        page = open_as("admin", zone="Asia/Tokyo")
        page.goto(f"/privacy/request?id={DONE}")
        expect(page.locator("[data-zone]")).to_have_text("Asia/Tokyo")
        shown = page.locator("time[data-moment]").first
        utc = datetime.strptime(shown.get_attribute("datetime") or "", "%Y-%m-%dT%H:%M:%S%z")
        there = utc + timedelta(hours=9)
        expect(shown).to_have_text(f"{there.day} {there:%b %Y, %H:%M}")
        expect(shown).to_have_attribute("title", f"{utc.day} {utc:%b %Y, %H:%M} UTC")

    def test_what_failed_is_red_and_says_what_to_do(self, page: Page) -> None:
        page.goto(f"/privacy/request?id={FAILED}")
        broken = page.locator(".timeline li.broken")
        expect(broken.first).to_contain_text("Failed at Adobe")
        expect(broken.locator("b").first).to_have_css("color", "rgb(185, 28, 28)")
        expect(page.locator(".todo").first).to_contain_text("Read the outcome code")
        expect(page.get_by_role("row", name="Ended in error at Adobe")).to_be_visible()

    def test_the_name_is_whole_and_the_tab_has_a_title(self, page: Page) -> None:
        opened(page)
        name = page.locator(f"a[href$='{PAGE}']").first
        expect(name).to_contain_text("Privacy")
        assert name.evaluate(
            "link => [link, ...link.querySelectorAll('*')].every(one => one.scrollWidth <= one.clientWidth + 1)"
        )
        expect(page).to_have_title("Privacy requests - Airflow")

    def test_one_changes_to_another_organisation_and_back(self, page: Page) -> None:
        page.goto("/privacy/")
        switch = page.get_by_role("navigation", name="Organisation")
        switch.get_by_role("link", name="eu").click()
        expect(page).to_have_url(re.compile("/privacy/organisations/eu/$"))
        rows = requests(page)
        expect(rows).to_have_text(["DSR-EU-1"])
        switch.get_by_role("link", name="default").click()
        expect(page).to_have_url(re.compile("/privacy/$"))
        expect(rows.first).to_be_visible()
        expect(rows.get_by_text("DSR-EU-1")).to_have_count(0)


class TestReports:
    def test_a_periods_figures_are_shown_printed_and_kept(self, page: Page, today: date) -> None:
        frame = opened(page)
        frame.get_by_role("link", name="Report").click()
        form = frame.get_by_role("form", name="Period")
        form.get_by_label("Received, from").fill(f"{today - timedelta(days=90)}")
        form.get_by_label("to", exact=True).fill(f"{today}")
        form.get_by_label("Regulation").select_option("lgpd_bra")
        form.get_by_role("button", name="Show").click()
        # The figures, and below them what was answered in time.
        expect(frame.get_by_role("row", name="lgpd_bra know")).to_have_count(2)
        shown = frame.get_by_role("row").all_inner_texts()
        with page.expect_download() as download:
            frame.get_by_role("link", name="Download the report (JSON)").click()
        (row,) = json.loads(download.value.path().read_text())["figures"]
        assert shown[1].split("\t")[2:6] == [
            str(row[name]) for name in ("received", "complied", "part", "denied")
        ]
        with page.context.expect_page() as printed:
            frame.get_by_role("link", name="Print the report").click()
        assert printed.value.get_by_role("row").all_inner_texts() == shown
        printed.value.close()

    def test_a_requests_evidence_opens_beside_airflow(self, page: Page) -> None:
        frame = opened(page, f"request?id={DONE}")
        with page.context.expect_page() as printed:
            frame.get_by_role("link", name="Print the evidence").click()
        evidence = printed.value
        expect(evidence.get_by_role("heading", name=f"Evidence of request {DONE}")).to_be_visible()
        expect(evidence.get_by_role("row", name="complete archived")).to_contain_text("manifest written")
        expect(evidence.locator("pre")).to_contain_text('"verdict": "in part"')
        # Its style is its own, and allowed.
        expect(evidence.locator("body")).to_have_css("max-width", "1200px")
        evidence.close()


class TestDecisions:
    def test_a_reader_has_no_buttons_and_is_refused(self, open_as: OpenAs) -> None:
        page = open_as("reader")
        page.goto(f"{PAGE}/privacy/request?id={FAILED}")
        frame = frame_of(page)
        expect(frame.get_by_role("heading", name=FAILED)).to_be_visible()
        expect(frame.get_by_role("button")).to_have_count(0)
        status = inner_frame(page).evaluate(
            """async id => (await fetch("api/hold", {method: "POST", headers: {"Content-Type": "application/json"},
                body: JSON.stringify({request_id: id, reason: "because"})})).status""",
            FAILED,
        )
        assert status == 403


class TestForEverybody:
    @pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
    def test_axe_finds_no_fault(self, open_as: OpenAs, dark: bool) -> None:
        page = open_as("admin", dark=dark)
        alone(page, f"request?id={DONE}")
        manifest = page.get_by_role("link", name="manifest.json").get_attribute("href") or ""
        for where in (*EVERY_PAGE, manifest, "nothing", FIGURES.replace("report", "report.html")):
            alone(page, where)
            assert faults(page.main_frame) == [], where
        alone(page, f"request?id={FAILED}")
        page.get_by_role("button", name="Send again").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        assert faults(page.main_frame) == []

    @pytest.mark.parametrize("where", EVERY_PAGE)
    @pytest.mark.parametrize("width", [375, 640], ids=["phone", "1280 at 200 %"])
    def test_nothing_lies_beside_a_narrow_window(self, open_as: OpenAs, width: int, where: str) -> None:
        page = open_as("admin", width=width, height=812 if width == 375 else 512)
        alone(page, where)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    def test_it_is_as_dark_as_airflow_is(self, open_as: OpenAs) -> None:
        page = open_as("admin", theme="dark")
        frame = opened(page)
        expect(frame.locator("body")).to_have_css("background-color", "rgb(17, 17, 17)")
        # As Airflow's own switch does, while the page is open.
        page.evaluate("document.documentElement.classList.replace('dark', 'light')")
        expect(frame.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")

    def test_it_can_be_used_with_the_keyboard_alone(self, page: Page) -> None:
        page.goto("/privacy/")
        for _ in range(120):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.name") == "text":
                break
        page.keyboard.type(FAILED)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=FAILED)).to_be_visible()
        press_until(page, "button", "Put on hold")
        ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring == "solid"
        page.keyboard.press("Enter")
        expect(page.get_by_label("Reason")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.get_by_role("button", name="Put on hold")).to_be_focused()

    @pytest.mark.parametrize("where", ["", f"request?id={DONE}", FIGURES])
    def test_at_twice_the_size_nothing_must_be_scrolled_sideways(self, open_as: OpenAs, where: str) -> None:
        # A window of 1280 pixels, zoomed to 200 %.
        page = open_as("admin", width=640, height=512)
        page.goto(f"/privacy/{where}")
        expect(page.locator("main h1")).to_be_visible()
        wide = """[...document.querySelectorAll("html, .scroll")]
            .filter(each => each.scrollWidth > each.clientWidth).map(each => each.outerHTML.slice(0, 80))"""
        assert page.evaluate(wide) == []


# -- what these tests do with a page ----------------------------------------------------------------------


def inner_frame(page: Page) -> Frame:
    (frame,) = (frame for frame in page.frames if "/privacy/" in frame.url and frame != page.main_frame)
    return frame


def faults(frame: Frame) -> list[str]:
    """What axe finds, however small, each with the element."""
    frame.evaluate(AXE)
    found: dict[str, Any] = frame.evaluate("axe.run()")
    return [
        f"{fault['impact']}: {fault['id']}: {node['html'][:120]}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


def press_until(page: Page, tag: str, text: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate("[document.activeElement.tagName, document.activeElement.textContent.trim()]")
        if focused == [tag.upper(), text]:
            return
    raise AssertionError(f"the keyboard does not reach {text}")
