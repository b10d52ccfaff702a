"""`make test-start`: follows docs/index.md (*Start*) word for word, on a fresh clone in a temporary folder.

The commands are those of the page's code blocks, and the buttons and links those that the page names in bold: both are
read from the page. Only these differ: the address of the repository leads to this one, the page's folder /srv is a
temporary one, and in part 3 the simulator takes Adobe's place, with its credentials. The package is installed as a
wheel, with the constraints that are kept here.

Prints a table; exits 0 only if all of it is as the page says. Without Chromium, part 2 is done by the API, and says so.
`make test-start PARTS="2 3"` follows these parts only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any, TypeVar

import httpx
from playwright.sync_api import Page, expect, sync_playwright
from rich.console import Console
from rich.table import Table

from adobe_privacy._compat import TESTED
from scripts.stack import ROOT, Stack, stop_on_signals
from tests.support.airflow import until
from tests.versions.run import build_wheel, documented, install

DAG_ID = "privacy_requests"
START = (ROOT / "docs" / "index.md").read_text()
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
SETTINGS = (ROOT / "airflow_settings.yaml").read_text()
T = TypeVar("T")


def part(number: int) -> str:
    """What the page says under one of its headings."""
    (found,) = re.findall(rf"\n## {number}\. [^\n]*\n(.*?)(?=\n## )", START, re.DOTALL)
    return str(found)


def blocks(number: int) -> list[str]:
    """The commands of a part, in their order."""
    return [dedent(text) for text in re.findall(r"\n *```sh\n(.*?)\n *```", part(number), re.DOTALL)]


def bold(number: int) -> list[str]:
    return re.findall(r"\*\*([^*]+)\*\*", part(number))


def requests_of(text: str) -> list[str]:
    return re.findall(r"DSR-2026-\d{6}", text)


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, sep="  ", flush=True)


def run(commands: str, folder: Path, environment: dict[str, str]) -> str:
    """A block as a person's shell runs it; the first command that fails ends it."""
    say(commands.splitlines()[0][:100])
    done = subprocess.run(
        ["sh", "-euc", commands], cwd=folder, env=environment, text=True, capture_output=True, check=False
    )
    if done.returncode:
        raise AssertionError(
            f"{commands}\nexit code {done.returncode}\n{(done.stdout + done.stderr)[-4000:]}"
        )
    return done.stdout


def wait(what: Callable[[], T | None], failure: str, seconds: float = 900) -> T:
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = what()
        except httpx.HTTPError:
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, failure
        time.sleep(1)


def as_cloned() -> dict[str, str]:
    """An environment in which the repository's address leads to this repository, and nothing else of this clone."""
    (address,) = re.findall(r"git clone (\S+)", START)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "VIRTUAL_ENV", "MAKE", "MFLAGS"))
    }
    return environment | {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{ROOT}.insteadOf",
        "GIT_CONFIG_VALUE_0": address,
    }


# -- part 2 ------------------------------------------------------------------------------------------------


@contextmanager
def left_running(command: str, clone: Path) -> Iterator[str]:
    """`make up`, until the end; its address."""
    log = clone.parent / "up.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["sh", "-euc", command],
            cwd=clone,
            env=as_cloned(),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:

        def ready() -> str | None:
            text = log.read_text()
            assert process.poll() is None, f"`{command}` ended: {text[-2000:]}"
            found = re.search(r"^Airflow: +(\S+)$", text, re.MULTILINE)
            return found[1] if found and "Ctrl-C ends it" in text else None

        yield wait(ready, f"`{command}` does not come up")
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def client(url: str) -> httpx.Client:
    token = httpx.get(f"{url}/auth/token", timeout=60).raise_for_status().json()["access_token"]
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def ended(api: httpx.Client, run_id: str) -> str | None:
    answer = api.get(f"/api/v2/dags/{DAG_ID}/dagRuns/{run_id}").raise_for_status().json()
    return answer["state"] if answer["state"] in ("success", "failed") else None


def archived(api: httpx.Client, request_id: str) -> bool:
    answer = api.get("/privacy/api/request", params={"id": request_id})
    return answer.is_success and {job["state"] for job in answer.json()["jobs"]} == {"archived"}


def by_the_page(url: str, request_id: str) -> None:
    """Clicks what the page has in bold, in its order."""
    in_airflow, new, hand_in, send, unpause, run_link, find, result, *_ = bold(2)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(base_url=url, viewport={"width": 1400, "height": 900})
        page.set_default_timeout(120_000)
        expect.set_options(timeout=120_000)
        page.goto("/")
        page.get_by_role("link", name=in_airflow, exact=True).first.click()
        frame = page.frame_locator(f"iframe[title='{in_airflow}']")
        frame.get_by_role("link", name=new).click()
        form = frame.get_by_role("form", name=new)
        form.get_by_label("Request id").fill(request_id)
        form.get_by_role("checkbox", name=_said(r"choose the action `(\w+)`"), exact=True).check()
        form.get_by_role("checkbox", name=re.compile(_said(r"the product `(\w+)`"))).check()
        expect(form.locator("[name=namespace]")).to_have_value(_said(r"value of the namespace `(\w+)`"))
        form.locator("[name=value]").fill(_said(r"enter `(\S+@example.com)`"))
        form.get_by_role("button", name=hand_in, exact=True).click()
        frame.get_by_role("button", name=send).click()
        frame.get_by_role("button", name=unpause).click()
        address = frame.get_by_role("link", name=run_link).get_attribute("href") or ""
        run_id = address.rpartition("/")[2]
        with client(url) as api:
            unquoted = httpx.URL(f"http://x/{run_id}").path.lstrip("/")
            state = wait(lambda: ended(api, unquoted), "the run has not ended")
        assert state == "success", f"the run of {request_id}: {state}"
        _find_and_download(page, in_airflow, find, result, request_id)
        browser.close()


def _said(pattern: str) -> str:
    (found,) = re.findall(pattern, " ".join(part(2).split()))
    return str(found)


def _find_and_download(page: Page, in_airflow: str, find: str, result: str, request_id: str) -> None:
    page.goto("/")
    page.get_by_role("link", name=in_airflow, exact=True).first.click()
    frame = page.frame_locator(f"iframe[title='{in_airflow}']")
    frame.get_by_role("searchbox").fill(request_id)
    frame.get_by_role("button", name=find, exact=True).click()
    expect(frame.get_by_role("heading", name=request_id)).to_be_visible()
    with page.expect_download() as download:
        frame.get_by_role("link", name=result).first.click()
    assert zipfile.is_zipfile(download.value.path())


def by_the_api(url: str, request_id: str) -> None:
    say("LEFT OUT: the buttons of part 2, for there is no Chromium")
    person = [{"namespace": "email", "value": _said(r"enter `(\S+@example.com)`")}]
    request = {"request_id": request_id, "regulation": "gdpr", "actions": ["access"], "identities": person}
    with client(url) as api:
        api.post("/privacy/api/requests", json=request).raise_for_status()
        trigger(api)
        wait(lambda: archived(api, request_id), f"{request_id} is not archived")


def trigger(api: httpx.Client) -> None:
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    api.patch(f"/api/v2/dags/{DAG_ID}", json={"is_paused": False}).raise_for_status()
    body = {"logical_date": None, "conf": {"inbox_day": day}}
    api.post(f"/api/v2/dags/{DAG_ID}/dagRuns", json=body).raise_for_status()


def own_request(clone: Path) -> None:
    up, by_file = blocks(2)
    first, second = requests_of(part(2))
    with left_running(up, clone) as url:
        with client(url) as api:
            wait(lambda: api.get(f"/api/v2/dags/{DAG_ID}").is_success, "Airflow does not show the DAG")
        (by_the_page if CHROMIUM else by_the_api)(url, first)
        run(by_file, clone, as_cloned())
        with client(url) as api:
            trigger(api)
            wait(lambda: archived(api, second), f"{second} is not archived")


# -- part 3 ------------------------------------------------------------------------------------------------


def to_adobe(folder: Path) -> None:
    """An Airflow of its own, installed as docs/production.md says; the simulator is Adobe."""
    version, venv = TESTED[-1], folder / "venv"
    install(version, build_wheel(folder / "wheel"), venv)
    dags = folder / "dags"
    command = documented(r"`airflow (privacy dags --to DIR)`").replace("DIR", str(dags)).split()
    with Stack(
        folder / "airflow",
        folder / "data",
        port=29080,
        simulator_arguments=("--port", "0"),
        environment={"AIRFLOW__CORE__PARALLELISM": "4"},
        bin=venv / "bin",
        dags=dags,
        prepare=lambda stack: (
            stack.airflow("connections", "delete", "adobe_privacy_default"),
            stack.airflow(*command),
        ),
        say=say,
    ) as stack:
        stack.wait_for_dag(DAG_ID)
        connection, variables, inbox, dry, real = (
            in_adobes_place(block, stack, folder) for block in blocks(3)
        )
        told = run(connection, folder, stack.environment)
        assert "Connection success!" in told, told
        for block in (variables, inbox, dry):
            run(block, folder, stack.environment)
        planned = last_run(stack)
        assert planned["state"] == "success", planned
        assert "nothing was kept or sent" in planned["note"], planned
        assert "1 new requests" in planned["note"], planned
        assert at_adobe(stack) == [], "the dry run has sent something"
        run(real, folder, stack.environment)
        sent = last_run(stack)
        assert sent["state"] == "success", (sent, stack.task_states(DAG_ID, sent["dag_run_id"]))
        (request_id,) = requests_of(part(3))
        assert at_adobe(stack) == [request_id]
        (manifest,) = (folder / "srv" / "privacy" / "archive").rglob("manifest.json")
        assert json.loads(manifest.read_text())["request_id"] == request_id
        told = run("airflow privacy status", folder, stack.environment)
        assert "archived" in told, told


def in_adobes_place(block: str, stack: Stack, folder: Path) -> str:
    """The page's words with the simulator's address and credentials, and a folder here for /srv."""

    def setting(name: str) -> str:
        (found,) = re.findall(rf"{name}: (\S+)", SETTINGS)
        return str(found)

    address = httpx.URL(stack.simulator_url)
    host = f"--conn-host http://localhost/data/core/privacy --conn-port {address.port}"
    token = f'"token_url": "{stack.simulator_url}/ims/token/v3", "list_lag": 2, '
    return (
        block.replace("--conn-type adobe_privacy", f"--conn-type adobe_privacy {host}")
        .replace("CLIENT_ID", setting("conn_login"))
        .replace("CLIENT_SECRET", setting("conn_password"))
        .replace('"org_id": "ORGANISATION@AdobeOrg"', f'{token}"org_id": "{setting("org_id")}"')
        .replace('"products": ["profileService", "identity"]', '"products": ["profileService"]')
        .replace("/srv", str(folder / "srv"))
    )


def last_run(stack: Stack) -> dict[str, Any]:
    """The run that was triggered last, once it and its note are there."""

    def found() -> dict[str, Any] | None:
        runs = [each for each in stack.runs(DAG_ID) if each["run_type"] == "manual"]
        newest = max(runs, key=lambda each: each["run_after"], default=None)
        return newest if newest and newest["state"] in ("success", "failed") and newest["note"] else None

    return until(stack, found, "the run has not ended", seconds=900) or {}


def at_adobe(stack: Stack) -> list[str]:
    jobs = httpx.get(f"{stack.simulator_url}/_simulator/jobs", timeout=30).raise_for_status().json()
    return [job["key"] for job in jobs]


def main() -> int:
    stop_on_signals()
    folder = Path(tempfile.mkdtemp(prefix="adobe-privacy-start-"))
    # The server of the metadata database runs as a user of its own where this is root.
    folder.chmod(0o755)
    (see_it_work,) = blocks(1)
    (place,) = re.findall(r"^cd (\S+)$", see_it_work, re.MULTILINE)
    parts = os.environ.get("PARTS", "1 2 3").split()
    if "1" not in parts:
        run(see_it_work.replace("make demo", ""), folder, as_cloned())
    steps: dict[str, Callable[[], object]] = {
        "1. See it work": lambda: run(see_it_work, folder, as_cloned()),
        "2. Hand in a request of your own": lambda: own_request(folder / place),
        "3. Send it to Adobe": lambda: to_adobe(folder),
    }
    table = Table("Start", "as the page says", "s", title="docs/index.md, word for word on a fresh clone")
    good = True
    for name, step in steps.items():
        if name[0] not in parts:
            continue
        say(name)
        started = time.monotonic()
        try:
            step()
            found = "yes"
        except Exception as error:
            found, good = f"NO: {type(error).__name__}: {error}", False
        table.add_row(name, found, f"{time.monotonic() - started:.0f}")
    Console(width=120 if not sys.stdout.isatty() else None).print(table)
    if good:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"All of it is left in {folder}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
