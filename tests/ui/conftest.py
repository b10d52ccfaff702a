"""A real Airflow with the simulator behind it, and a real browser before it.

Its ledger has two months of history, and a backfill has carried some of the sample requests through before the first
test: so few because each of their batches is four processes. Yesterday's folder is left to tests that run the DAG.

Airflow shows its own words by their keys until it has loaded their translation, which takes long on a busy machine: a
test asks for names of ours, or for addresses.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from adobe_privacy.ledger.ledger import Ledger
from scripts.stack import ROOT, Stack
from tests.support.airflow import retry_at_once, until
from tests.support.history import write_history
from tests.support.ledgers import received

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SAMPLES = ROOT / "include" / "samples"
FAILED, DONE, OF_BRAZIL = "DSR-2026-000107", "DSR-2026-000104", "DSR-2026-000106"  # of the sample inbox
RUNS = 2
USERS = {"admin": "admin", "officer": "user", "reader": "viewer"}
OpenAs = Callable[..., Page]
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def today() -> date:
    return datetime.now(UTC).date()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, today: date) -> Iterator[Stack]:
    home: Path = tmp_path_factory.mktemp("ui")
    write_inbox(home / "data" / "inbox" / f"{today - timedelta(days=2)}")
    write_history(f"sqlite:///{home / 'airflow' / 'privacy_ledger.db'}", today)
    # Airflow 3.3.2 fails a resumed task now and then, and tries it again.
    retry_at_once(home / "airflow")
    simulator = ("--port", "0", "--scenario", str(SAMPLES / "scenario.json"))
    with Stack(
        home / "airflow",
        home / "data",
        port=random.randrange(20_000, 30_000),  # another stack may be starting on this machine
        simulator_arguments=simulator,
        users=USERS,
        environment=_second_organisation(home / "eu.db", today),
    ) as stack:
        stack.wait_for_dag("privacy_requests")
        # To yesterday, whose run the scheduler makes otherwise.
        stack.backfill("privacy_requests", str(today - timedelta(days=2)), str(today - timedelta(days=1)))
        wait_for_runs(stack, RUNS)
        yield stack


def _second_organisation(path: Path, today: date) -> dict[str, str]:
    """Of its own ledger, with one request."""
    with Ledger(f"sqlite:///{path}", actor="privacy_requests_eu") as ledger:
        ledger.intake.receive([received("EU-1", due=today + timedelta(days=20))])
    return {
        "AIRFLOW__ADOBE_PRIVACY__ORGANISATIONS": "eu",
        "AIRFLOW_CONN_PRIVACY_LEDGER_EU": json.dumps({"conn_type": "sqlite", "host": str(path)}),
    }


def write_inbox(folder: Path) -> None:
    folder.mkdir(parents=True)
    for path in (SAMPLES / "inbox").glob("*/requests.*"):
        header, *lines = path.read_text().splitlines(keepends=True)
        if path.suffix != ".csv":
            header, lines = "", [header, *lines]
        if chosen := [line for line in lines if any(name in line for name in (FAILED, DONE, OF_BRAZIL))]:
            (folder / path.name).write_text(header + "".join(chosen))


def wait_for_runs(stack: Stack, count: int) -> None:
    def ended() -> bool:
        states = [run["state"] for run in stack.runs("privacy_requests")]
        return len(states) >= count and set(states) <= {"success", "failed"}

    until(stack, ended, "the runs have not ended", seconds=600)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.fail("no Chromium found: install Debian's package chromium, or set CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def _windows() -> dict[tuple[object, ...], BrowserContext]:
    """Kept from test to test: Airflow's UI is large, and is fetched once for each."""
    return {}


@pytest.fixture
def open_as(
    stack: Stack, browser: Browser, _windows: dict[tuple[object, ...], BrowserContext]
) -> Iterator[OpenAs]:
    """A page in a window of a user who is logged in, or of nobody. `theme` is Airflow's own setting, `dark` that
    of the machine."""
    opened = []

    def window(
        user: str | None,
        *,
        width: int = 1400,
        height: int = 900,
        dark: bool = False,
        theme: str | None = None,
        zone: str = "UTC",
    ) -> Page:
        key = (user, width, height, dark, theme, zone)
        if key not in _windows or user is None:
            context = _windows[key] = browser.new_context(
                base_url=stack.url,
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
                timezone_id=zone,
            )
            context.set_default_timeout(30_000)
            if user is not None:
                token = {"name": "_token", "value": stack.token(user), "url": stack.url}
                context.add_cookies([token])  # type: ignore[list-item]
            if theme is not None:
                context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
        opened.append(_windows[key].new_page())
        return opened[-1]

    yield window
    for page in opened:
        page.close()


@pytest.fixture
def page(open_as: OpenAs) -> Page:
    return open_as("admin")


class Clicks:
    """Counts them, from the page on."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, where: Locator) -> None:
        self.count += 1
        where.click()


@pytest.fixture
def click(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Iterator[Clicks]:
    clicks = Clicks()
    yield clicks
    with capsys.disabled():
        print(f" {request.node.name}: {clicks.count} clicks")


@pytest.fixture
def officer(open_as: OpenAs) -> Page:
    return open_as("officer")
