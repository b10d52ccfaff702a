"""Runs the cases beside each other, since most of their time is waiting, and prints what came of them."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from tests.faults import task_process
from tests.faults.boundaries import BOUNDARIES
from tests.faults.trial import LIST_LAG, Case, LedgerPlace, Lists, Outcome, Trial
from tests.support.ledgers import Postgres, postgres  # noqa: F401
from tests.support.simulator import Simulator, running_simulator

# More only wait longer: the machine's cores are busy.
CASES_AT_ONCE = 12
OUTCOMES = pytest.StashKey[list[Outcome]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full-faults",
        action="store_true",
        help="every point of the crash suite, and the cases in a real Airflow (minutes)",
    )


def sqlite_ledger(folder: Path) -> LedgerPlace:
    path = folder / "ledger.db"
    return LedgerPlace({"conn_type": "sqlite", "host": str(path)}, f"sqlite:///{path}")


def postgres_ledger(server: Postgres, name: str) -> LedgerPlace:
    """A database without tables: the first task makes them, or two at once."""
    url = server.new_database(name)
    parts = make_url(url)
    connection = {
        "conn_type": "postgres",
        "host": parts.query["host"],
        "login": parts.username,
        "schema": parts.database,
    }
    return LedgerPlace(connection, url)


def drop_postgres_ledger(place: LedgerPlace) -> None:
    """A database takes megabytes even when it is empty, and there are many."""
    host, user, name = (place.connection[field] for field in ("host", "login", "schema"))
    with psycopg.connect(host=host, user=user, dbname="postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


class Suite:
    """Starts cases in the background, a few at once."""

    def __init__(
        self,
        folder: Path,
        simulators: Mapping[bool | Lists, Simulator],
        server: Postgres | None,
        outcomes: list[Outcome],
    ) -> None:
        self._folder = folder
        self._simulators = simulators
        self._server = server
        self._outcomes = outcomes
        # PostgreSQL copies a template for one at a time.
        self._creating = threading.Lock()
        self._threads = ThreadPoolExecutor(CASES_AT_ONCE)
        self._futures: dict[str, Future[Outcome]] = {}

    def start(self, case: Case) -> None:
        if case.name not in self._futures:
            self._futures[case.name] = self._threads.submit(self._run, case, len(self._futures) + 1)

    def outcome(self, case: Case) -> Outcome:
        self.start(case)
        return self._futures[case.name].result()

    def _run(self, case: Case, number: int) -> Outcome:
        folder = self._folder / f"case-{number:03}"
        ledger = self._ledger(folder, number, case.database)
        outcome = Trial(
            case,
            prefix=f"CASE-{number:03}",
            folder=folder,
            simulator=self._simulators[case.lag if case.lists is None else case.lists],
            ledger=ledger,
        ).run()
        self._outcomes.append(outcome)
        if case.database == "postgres" and not outcome.problems:
            drop_postgres_ledger(ledger)
        return outcome

    def _ledger(self, folder: Path, number: int, database: str) -> LedgerPlace:
        if database == "sqlite":
            return sqlite_ledger(folder)
        assert self._server is not None
        with self._creating:
            return postgres_ledger(self._server, f"case_{number:03}")

    def stop(self) -> None:
        self._threads.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def task_server() -> None:
    task_process.preload()


@pytest.fixture(scope="session")
def suite(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, task_server: None
) -> Iterator[Suite]:
    """All cases of this session's tests, under way."""
    outcomes = request.config.stash.setdefault(OUTCOMES, [])
    callspecs = [getattr(item, "callspec", None) for item in request.session.items]
    parameters = [callspec.params.get("case") for callspec in callspecs if callspec is not None]
    cases = [case for case in parameters if isinstance(case, Case)]
    with_postgres = any(case.database == "postgres" for case in cases)
    server = request.getfixturevalue("postgres") if with_postgres else None
    with ExitStack() as simulating:
        simulators: dict[bool | Lists, Simulator] = {}
        for kind in {case.lag if case.lists is None else case.lists for case in cases}:
            switches = (
                kind.switches if isinstance(kind, Lists) else {"list_lag_seconds": LIST_LAG if kind else 0}
            )
            simulators[kind] = simulator = simulating.enter_context(running_simulator(switches=switches))
            if not isinstance(kind, Lists) or kind.jobs != "finished":
                # Somebody else's job that never ends: the lists are seen to show open jobs, by the first case too.
                simulator.switch(jobs_never_finish=True)
                simulator.create_jobs(count=1, regulation="gdpr", key="elsewhere")
                simulator.switch(jobs_never_finish=isinstance(kind, Lists) and kind.jobs == "open")
        suite = Suite(tmp_path_factory.mktemp("cases"), simulators, server, outcomes)
        for case in cases:
            suite.start(case)
        try:
            yield suite
        finally:
            suite.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    outcomes = config.stash.get(OUTCOMES, [])
    if not outcomes:
        return
    terminalreporter.section("crash suite: jobs at Adobe, wanted/made/twice/lost")
    lists = sorted({str(outcome.case.lists) for outcome in outcomes if outcome.case.lists is not None})
    for head, rows, row_of in (
        ("boundary", [boundary.name for boundary in BOUNDARIES], _boundary_of),
        ("what a list shows, all lost answers together", lists, _lists_of),
    ):
        cells: dict[tuple[str, tuple[str, ...]], list[Outcome]] = {}
        for outcome in outcomes:
            if (row := row_of(outcome)) is not None:
                cells.setdefault((row, outcome.case.column), []).append(outcome)
        if cells:
            columns = sorted({column for _, column in cells}, reverse=True)
            table = Table(box=None, pad_edge=False)
            table.add_column(head)
            for column in columns:
                table.add_column("\n".join(column), justify="right")
            for row in rows:
                if any((row, column) in cells for column in columns):
                    table.add_row(row, *(_cell(cells.get((row, column), [])) for column in columns))
            text = io.StringIO()
            Console(file=text, width=160).print(table)
            terminalreporter.write_line(text.getvalue().rstrip())
    terminalreporter.write_line(_total(outcomes))


def _boundary_of(outcome: Outcome) -> str | None:
    return outcome.case.boundary.name if outcome.case.lists is None else None


def _lists_of(outcome: Outcome) -> str | None:
    return None if outcome.case.lists is None else str(outcome.case.lists)


def _cell(outcomes: list[Outcome]) -> str:
    if not outcomes:
        return ""
    counts = "/".join(
        str(sum(getattr(each, name) for each in outcomes)) for name in ("wanted", "made", "twice", "lost")
    )
    told = sum(outcome.told for outcome in outcomes)
    problems = total_problems(outcomes)
    return counts + (f", {told} told" if told else "") + (" !" if problems else "")


def _total(outcomes: list[Outcome]) -> str:
    def total(name: str) -> int:
        return sum(getattr(outcome, name) for outcome in outcomes)

    return (
        f"{len(outcomes)} points, {total('blows')} blows, {total('tries')} task processes: "
        f"{total('wanted')} jobs wanted, {total('made')} made, {total('twice')} twice, "
        f"{total('lost')} lost, {total('told')} told as unknown"
        f"{'' if not total_problems(outcomes) else f'; {total_problems(outcomes)} points with problems (!)'}"
    )


def total_problems(outcomes: list[Outcome]) -> int:
    return sum(bool(outcome.problems) for outcome in outcomes)
