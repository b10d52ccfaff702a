"""Whatever fails, and wherever: no manifest names bytes that are not the result's, and the next try archives it."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest

from adobe_privacy.archive import ZipCheck, ZipSummary
from adobe_privacy.storage import Store
from tests.archive import fault_trial
from tests.archive.conftest import OUTCOMES
from tests.archive.fault_trial import (
    ANSWER_LOST,
    BLOWS,
    BODIES,
    CUT,
    FULL,
    KILL_BEFORE_KEY,
    KILLS,
    LARGE,
    OWNER,
    SMALL,
    Outcome,
    Shelf,
    Trial,
    new_trial,
)
from tests.archive.nursery import Nursery, nursery
from tests.storage.servers import AzureServer, GCSServer, S3Server, gcs_server
from tests.support.simulator import Simulator, running_simulator

STORES = ("file", "file, encrypted", "s3", "s3, encrypted", "azure", "gcs")


@pytest.fixture(scope="module")
def adobe() -> Iterator[Simulator]:
    switches = {"processing_delay_seconds": 0, "access_delay_seconds": 0}
    with running_simulator(switches=switches) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def processes() -> Iterator[Nursery]:
    with nursery() as ready:
        yield ready


@pytest.fixture(scope="module")
def gcs() -> Iterator[GCSServer]:
    with gcs_server() as server:
        yield server


@pytest.fixture
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    name = str(request.param)
    kind, _, encrypted = name.partition(", ")
    recipient = str(OWNER.to_public()) if encrypted else None
    if kind == "file":
        (tmp_path / "archive").mkdir()
        return Shelf(name, f"file://{tmp_path}/archive", None, recipient)
    server: S3Server | AzureServer | GCSServer = request.getfixturevalue(kind)
    return Shelf(name, server.store().location.uri, server.options, recipient)


def strike(trial: Trial, adobe: Simulator, processes: Nursery, faults: Sequence[str]) -> dict[str, bool]:
    """Deals each job its blow; says of which it was felt."""
    name, jobs = trial.shelf.name, trial.jobs
    struck: dict[str, bool] = {}
    bodies = [fault for fault in faults if fault in BODIES]
    for fault in bodies:
        adobe.fault("content", fault, key=f"{name} {fault}", times=None)
    # In one go: that one costs no other is part of it.
    completion = trial.complete([jobs[fault] for fault in bodies])
    adobe.clear_faults()
    struck |= {
        fault: any(f"Adobe job {jobs[fault]})" in failure for failure in completion.failures)
        for fault in bodies
    }
    for fault in (KILL_BEFORE_KEY, *KILLS):
        if fault in faults:
            code = processes.run(fault_trial.run_and_be_killed, trial, jobs[fault], fault)
            struck[fault] = code == -signal.SIGKILL
    if FULL in faults and trial.shelf.options is None:
        struck[FULL] = processes.run(fault_trial.run_on_a_full_disk, trial, jobs[FULL]) == 0
    elif FULL in faults:
        struck[FULL] = trial.through_a_failing_proxy(jobs[FULL], "full")
    for fault, kind in ((CUT, "cut"), (ANSWER_LOST, "answer lost")):
        if fault in faults:
            struck[fault] = trial.through_a_failing_proxy(jobs[fault], kind)
    return struck


def outcomes(trial: Trial, struck: dict[str, bool]) -> list[Outcome]:
    bad, lost = trial.judge(list(trial.jobs.values()))
    return [
        Outcome(fault, trial.shelf.name, bad[job_id], lost[job_id], struck[fault])
        for fault, job_id in trial.jobs.items()
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "faults" not in metafunc.fixturenames:
        return
    full = metafunc.config.getoption("--full-faults", default=False)
    # A wrong answer is found before the store has a part in it: without --full-faults on two stores only.
    cases: list[tuple[str, tuple[str, ...], int]] = []
    cases += [(store, BODIES, SMALL) for store in STORES if full or store in ("file", "s3")]
    cases += [(store, BLOWS, LARGE) for store in STORES if full or store != "s3, encrypted"]
    ids = [f"{store}: {'answers' if faults == BODIES else 'blows'}" for store, faults, _ in cases]
    metafunc.parametrize(("shelf", "faults", "size"), cases, indirect=["shelf"], ids=ids)


def test_no_manifest_names_bad_bytes_and_no_result_is_lost(
    shelf: Shelf,
    faults: Sequence[str],
    size: int,
    adobe: Simulator,
    processes: Nursery,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    adobe.switch(result_bytes=size)
    faults = [
        fault
        for fault in faults
        if (fault not in (CUT, ANSWER_LOST) or shelf.options is not None)
        and (fault != KILL_BEFORE_KEY or shelf.recipient is not None)
    ]
    trial = new_trial(adobe, shelf, tmp_path, faults)
    struck = strike(trial, adobe, processes, faults)
    after_the_blow = outcomes(trial, struck)
    trial.complete(list(trial.jobs.values()))
    found = outcomes(trial, struck)
    request.config.stash.setdefault(OUTCOMES, []).extend(found)
    assert [each for each in found if not each.struck] == [], "a blow that nothing felt"
    assert [each for each in after_the_blow if each.bad] == []
    # All but those whose manifest was there already.
    there = {"killed after the manifest", ANSWER_LOST}
    assert {each.fault for each in after_the_blow if each.lost} == set(faults) - there
    assert [each for each in found if each.bad or each.lost] == []


@pytest.mark.parametrize("shelf", ["file"], indirect=True)
def test_a_check_that_believes_everything_shows_as_manifests_naming_bad_bytes(
    shelf: Shelf, adobe: Simulator, processes: Nursery, tmp_path: Path
) -> None:
    adobe.switch(result_bytes=SMALL)
    faults = ("wrong_crc", "cut_body", "json_error_200")
    trial = new_trial(adobe, shelf, tmp_path, faults)
    with (
        patch.object(ZipCheck, "feed", lambda *_: None),
        patch.object(ZipCheck, "finish", lambda _: ZipSummary(1, 1, frozenset())),
    ):
        strike(trial, adobe, processes, faults)
    found = outcomes(trial, dict.fromkeys(faults, True))
    assert [(each.bad, each.lost) for each in found] == [(1, 0)] * 3


@pytest.mark.parametrize("shelf", ["file"], indirect=True)
def test_a_task_that_is_never_tried_again_shows_as_lost_results(
    shelf: Shelf, adobe: Simulator, processes: Nursery, tmp_path: Path
) -> None:
    adobe.switch(result_bytes=LARGE)
    faults = ("killed before the manifest", FULL)
    trial = new_trial(adobe, shelf, tmp_path, faults)
    struck = strike(trial, adobe, processes, faults)
    assert [(each.bad, each.lost) for each in outcomes(trial, struck)] == [(0, 1)] * 2


@pytest.mark.parametrize("shelf", ["file"], indirect=True)
def test_bytes_that_changed_after_they_were_archived_show_as_bad(
    shelf: Shelf, adobe: Simulator, tmp_path: Path
) -> None:
    adobe.switch(result_bytes=SMALL)
    trial = new_trial(adobe, shelf, tmp_path, ("fine",))
    trial.complete(list(trial.jobs.values()))
    store: Store = shelf.store()
    (key,) = [info.key for info in store.objects() if info.key.endswith(".zip")]
    store.write(key, store.read(key)[:-1])
    assert [(each.bad, each.lost) for each in outcomes(trial, {"fine": True})] == [(1, 0)]
