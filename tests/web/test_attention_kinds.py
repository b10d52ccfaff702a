"""Each kind of attention, made by a real run, and seen wherever people look: the run's note, the page, the alarm, the
command."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from adobe_privacy.command_line import main
from adobe_privacy.ledger.attention import KINDS, LASTING, Kind, Level
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    SettlePrivacyRequestsOperator,
)
from adobe_privacy.reporting.alarms import due_alarms
from adobe_privacy.run_notes import XCOM_KEY
from tests.support.inbox import deny
from tests.support.privacy import DAY, World, context, request
from tests.web.conftest import LogIn


@dataclass
class Run:
    """A day's run, task by task, in a world whose time can be moved on."""

    world: World
    patch: pytest.MonkeyPatch
    passed: timedelta = field(default_factory=timedelta)
    batches: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        defaults: Any = Ledger.__init__.__kwdefaults__
        self.patch.setitem(defaults, "now", lambda: datetime.now(UTC) + self.passed)

    def pass_time(self, **by: float) -> None:
        self.passed += timedelta(**by)
        self.world.simulator.advance(timedelta(**by).total_seconds())

    def plan(self, *requests: dict[str, Any]) -> None:
        self.world.put(*requests)
        self.batches = PlanPrivacyRequestsOperator(task_id="plan").execute(context())

    def submit(self, *requests: dict[str, Any]) -> None:
        self.plan(*requests)
        for batch_id in self.batches:
            CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
        self.world.simulator.advance(60)

    def archive(self) -> None:
        for batch_id in self.batches:
            with contextlib.suppress(AirflowException):
                ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())

    def settle(self) -> str:
        """The run's note, and what its last task fails with."""
        told = context()
        said = ""
        try:
            SettlePrivacyRequestsOperator(task_id="settle", batch_ids=self.batches).execute(told)
        except AirflowFailException as failure:
            said = str(failure)
        return f"{told['ti'].xcoms[XCOM_KEY]} {said}"


def rejected(run: Run) -> None:
    run.plan(request(1, regulation="gdrp"))


def unread(run: Run) -> None:
    (run.world.inbox / f"{DAY}").mkdir(parents=True)
    (run.world.inbox / f"{DAY}" / "requests.xlsx").write_bytes(b"PK")
    run.plan()


def refused(run: Run) -> None:
    run.world.simulator.switch(refused_namespaces="shop")
    of_shop = [{"namespace": "shop", "value": "12", "type": "custom"}]
    run.submit(request(1, identities=of_shop), request(2))


def refused_together(run: Run) -> None:
    run.world.simulator.fault("create", "refusal", text="Invalid value for `regulation`", times=None)
    run.plan(request(1, regulation="lgpd_bra"))
    with pytest.raises(AirflowFailException, match="Field: regulation"):
        CreatePrivacyJobsOperator(task_id="submit", batch_id=run.batches[0]).execute(context())


def unreadable(run: Run) -> None:
    run.world.put(request(2), name="second.jsonl")
    run.plan(request(1))
    deny(run.patch, f"{DAY}/second.jsonl")
    CreatePrivacyJobsOperator(task_id="submit", batch_id=run.batches[0]).execute(context())
    run.world.simulator.advance(60)
    run.archive()


def ended_in_error(run: Run) -> None:
    run.world.simulator.scenario({"rules": [{"code": "1000-400"}]})
    run.submit(request(1))
    run.archive()


def gone(run: Run) -> None:
    run.submit(request(1, "delete"))
    run.pass_time(days=40)
    run.archive()


def not_done(run: Run) -> None:
    run.world.simulator.scenario({"rules": [{"code": "1000-400", "job_status": "complete"}]})
    run.submit(request(1, "delete"))
    run.archive()


def unfinished(run: Run) -> None:
    run.plan(request(1))


def unknown(run: Run) -> None:
    run.world.simulator.switch(list_dates="completed", jobs_never_finish=True)
    run.world.simulator.fault("create", "drop_after")
    run.submit(request(1))
    run.pass_time(hours=1)


def approval(run: Run) -> None:
    run.patch.setenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES", "true")
    run.plan(request(1, "delete"))


def overdue(run: Run) -> None:
    run.patch.setattr("adobe_privacy.planning.planning.MAX_BATCHES", 0)
    run.plan(request(1))
    run.pass_time(days=60)


def expiring(run: Run) -> None:
    run.world.simulator.switch(jobs_never_finish=True)
    run.submit(request(1))
    run.pass_time(days=39)


def not_erased(run: Run) -> None:
    run.submit(request(1))
    run.archive()
    [manifest] = run.world.archive.rglob("manifest.json")
    folder = manifest.parent.relative_to(run.world.archive).as_posix()
    manifest.unlink()
    with Ledger(run.world.ledger_url, actor="test") as ledger:
        assert ledger.erasures.begin(manifest.parent.name, "DSR-1", folder)
        assert ledger.erasures.note_stopped(folder)


def soon(run: Run) -> None:
    run.patch.setattr("adobe_privacy.planning.planning.MAX_BATCHES", 0)
    received = datetime.now(UTC) - timedelta(days=26)
    run.plan(request(1, received_at=received.isoformat(timespec="seconds")))


def warned(run: Run) -> None:
    run.patch.setattr("adobe_privacy.planning.planning.MAX_BATCHES", 0)
    # Analytics knows nobody by an e-mail address of type `standard`.
    run.plan(request(1, products=["analytics"]))


def held(run: Run) -> None:
    run.patch.setattr("adobe_privacy.planning.planning.MAX_BATCHES", 0)
    run.plan(request(1))
    with Ledger(run.world.ledger_url, actor="user jdoe") as ledger:
        assert ledger.people.hold("DSR-1", "litigation") == 1


# Of each kind, how a run comes to it, and what its note or its failure says. A job that a run has not finished is told
# there as that, whatever else it is.
MADE: dict[str, tuple[Callable[[Run], None], str]] = {
    "rejected": (rejected, "1 line rejected"),
    "unread": (unread, "1 file not read"),
    "refused": (refused, "1 refused"),
    "refused_together": (
        refused_together,
        "DSR-1 (access, lgpd_bra, Adobe job none): the whole batch was refused: by Adobe",
    ),
    "unreadable": (unreadable, "not sent, since a file could not be read: file://"),
    "error": (ended_in_error, "1 ended in error"),
    "gone": (gone, "1 gone at Adobe"),
    "not_done": (not_done, "1 of 1 deletes not done"),
    "unfinished": (unfinished, "not archived yet (planned)"),
    "unknown": (unknown, "1 of unknown outcome"),
    "approval": (approval, "not archived yet (planned)"),
    "overdue": (overdue, "its answer was due on"),
    "expiring": (expiring, "not archived yet (submitted)"),
    "not_erased": (not_erased, "not known to be erased: its erasure has begun, and jobs/gdpr/"),
    "soon": (soon, "1 for the next run"),
    "warned": (warned, "1 for the next run"),
    "held": (held, "1 on hold"),
}


def test_the_table_has_every_kind() -> None:
    assert list(MADE) == [kind.name for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_each_kind_is_seen_wherever_people_look(
    world: World,
    kind: Kind,
    log_in: LogIn,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Run(world, monkeypatch)
    make, note = MADE[kind.name]
    make(run)
    assert note in run.settle()
    lasts = kind in LASTING
    capsys.readouterr()
    assert main(["attention", "--json", "--ledger", world.ledger_url]) == (
        lasts and kind.level is Level.PERSON
    )
    assert json.loads(capsys.readouterr().out)["counts"].get(kind.name, 0) == lasts
    with Ledger(world.ledger_url, actor="test") as ledger:
        alarms = due_alarms(ledger, daily_limit=20_000)
    told = [group for group in alarms.groups if group.kind == kind.name]
    assert len(told) == (lasts and kind.level is Level.PERSON)
    assert all((kind.to_do, kind.document) == (group.to_do, group.document) for group in told)
    if not lasts:
        return
    reader = log_in("reader")
    [item] = reader.get("/privacy/api/attention", params={"attention": kind.name}).raise_for_status().json()
    assert item["to_do"] == kind.to_do
    shown = reader.get("/privacy/", params={"attention": kind.name}).raise_for_status().text
    assert (item["request_id"] or item["about"]) in shown
