"""A ledger of an older or a newer version: whoever reads goes on and changes nothing, and nobody else writes."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest
from alembic.command import upgrade
from sqlalchemy import Engine, inspect, text

from adobe_privacy.command_line import main
from adobe_privacy.ledger.database import VERSION_TABLE, LedgerError, create_ledger_engine, exclusive
from adobe_privacy.ledger.database import _config as alembic_config
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.other_versions import OLDEST_READABLE
from adobe_privacy.ledger.shared import shared_ledger
from adobe_privacy.reporting.alarms import due_alarms
from adobe_privacy.reporting.attention import read_attention
from adobe_privacy.reporting.reports import evidence, figures_report
from adobe_privacy.waiting.looks import waiting_jobs
from tests.ledger.test_database import bare_url as bare_url
from tests.support.ledgers import DAY, FakeClock, Postgres, received

OLDER = (
    "DROP TABLE privacy_attention_told",
    "DROP INDEX ix_privacy_jobs_warned",
    "ALTER TABLE privacy_jobs DROP COLUMN warnings",
    "ALTER TABLE privacy_jobs DROP COLUMN outcome_code",
    "ALTER TABLE privacy_batches DROP COLUMN options",
    "ALTER TABLE privacy_batches DROP COLUMN asked_by",
)
NEWER = (
    "CREATE TABLE privacy_of_tomorrow (id INTEGER PRIMARY KEY)",
    "ALTER TABLE privacy_jobs ADD COLUMN of_tomorrow VARCHAR(16) NOT NULL DEFAULT 'x'",
)


@pytest.fixture(params=["sqlite", "postgres"])
def filled_url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """A ledger of its own, with a day under way: one job at Adobe, one planned delete, one on hold, one opt-out."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database("v_" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12])
    with Ledger(url, actor="dag/run/task", now=FakeClock()) as ledger:
        ledger.intake.receive(
            [received(1), received(2, "delete"), received(3), received(4, "opt_out_of_sale")]
        )
        ledger.people.hold("DSR-3", "litigation")
        while batch := ledger.claims.claim_batch(
            run_id="run", inbox_date=DAY, daily_limit=100, max_users=10, approve_deletes=True
        ):
            jobs = [job.id for job in ledger.claims.batch_jobs(batch.id) if job.action == "access"]
            intents = ledger.intents.intend(batch.id, jobs, daily_limit=100) if jobs else []
            ledger.intents.record_submitted(
                [(job, f"adobe-{job.id}") for job in intents], adobe_request_id="r", reason="sent"
            )
        ledger.protection.check({"approve_deletes": "on"})
    return url


def change(url: str, *statements: str, revision: str) -> None:
    engine = create_ledger_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'"))
    engine.dispose()


def looks_like(engine: Engine) -> dict[str, Any]:
    """The tables, their columns and what lies in them."""
    with engine.connect() as connection:
        inspector = inspect(connection)
        tables = sorted(inspector.get_table_names())
        return {
            "columns": {table: sorted(c["name"] for c in inspector.get_columns(table)) for table in tables},
            "rows": {
                table: sorted(map(str, connection.execute(text(f"SELECT * FROM {table}"))))
                for table in tables
            },
        }


def everything_read(ledger: Ledger) -> list[Any]:
    """What page, commands, alarms and waits ask a ledger for."""
    (batch, *_) = {job.batch_id for job in ledger.people.request_jobs("DSR-1")}
    alarms = due_alarms(ledger, daily_limit=100, swept_at=None)
    return [
        {state.value: count for state, count in ledger.overview.counts().items()},
        ledger.attention.counts(),
        [item.as_row() for item in read_attention(ledger, limit=50).items],
        [figures.day for figures in ledger.overview.daily_figures(60)],
        ledger.quotas.today().used,
        [job.request_id for job in ledger.people.request_jobs("DSR-2")],
        figures_report(ledger, DAY, DAY, regulation=None),
        evidence(ledger, "DSR-1"),
        [change.to_state for change in ledger.overview.request("DSR-1")[1]],
        ledger.claims.batch(str(batch)).regulation,
        [job.job_id for job in waiting_jobs(ledger, str(batch))],
        ledger.erasures.is_held("adobe-3", "DSR-3"),
        sorted(ledger.protection.in_force()),
        [group.kind for group in alarms.groups],
    ]


@pytest.mark.parametrize(
    ("statements", "revision"), [(OLDER, OLDEST_READABLE), (NEWER, "9999")], ids=["older", "newer"]
)
def test_whoever_reads_a_ledger_of_another_version_goes_on_and_changes_nothing(
    filled_url: str, statements: tuple[str, ...], revision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Ledger(filled_url, actor="page", existing=True, now=FakeClock()) as ledger:
        as_this_version_has_it = everything_read(ledger)
    change(filled_url, *statements, revision=revision)
    engine = create_ledger_engine(filled_url)
    before = looks_like(engine)
    with Ledger(filled_url, actor="page", existing=True, now=FakeClock()) as ledger:
        assert json.dumps(everything_read(ledger), default=str) == json.dumps(
            as_this_version_has_it, default=str
        )
        with pytest.raises(LedgerError, match=r"older version|newer version"):
            ledger.people.hold("DSR-1", "litigation")

    async def wait() -> int:
        def opening() -> Ledger:
            return Ledger(filled_url, actor="triggerer", existing=True, connections=3)

        async with shared_ledger(filled_url, opening) as ledger:
            return sum((await asyncio.to_thread(ledger.overview.counts)).values())

    assert asyncio.run(wait()) == 4
    for command in (
        ["status"],
        ["attention"],
        ["due", "--within", "60"],
        ["show", "DSR-1"],
        ["report"],
    ):
        code = main([*command, "--ledger", filled_url, "--json"])
        assert json.loads(capsys.readouterr().out), command
        assert code in (0, 1)
    for command in (["hold", "DSR-1", "--reason", "x"], ["release", "DSR-3", "--reason", "x"]):
        assert main([*command, "--ledger", filled_url]) == 1
        assert capsys.readouterr().err.count("\n") == 1
    assert looks_like(engine) == before
    engine.dispose()


def test_a_run_and_the_command_upgrade_what_is_older_and_refuse_what_is_newer(
    filled_url: str, bare_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = create_ledger_engine(bare_url)
    config = alembic_config()
    with exclusive(engine) as connection:
        config.attributes["connection"] = connection
        upgrade(config, OLDEST_READABLE)
    engine.dispose()
    with Ledger(bare_url, actor="page", existing=True) as reader:
        assert reader.only_reads is not None
        assert sum(reader.overview.counts().values()) == 0
        assert main(["upgrade", "--ledger", bare_url]) == 0
        with Ledger(bare_url, actor="page", existing=True) as ledger:
            assert ledger.only_reads is None
            ledger.intake.receive([received(1)])
        assert sum(reader.overview.counts().values()) == 1
    change(filled_url, *NEWER, revision="9999")
    with pytest.raises(LedgerError, match=r"newer version .*9999.*install"):
        Ledger(filled_url, actor="run")
    assert main(["upgrade", "--ledger", filled_url]) == 1


@pytest.mark.parametrize(
    ("statements", "revision", "says"),
    [
        (["ALTER TABLE privacy_jobs DROP COLUMN taken_in_at"], "9999", "newer version"),
        ([], "0012", "older version"),
    ],
    ids=["a newer one without what is needed", "an older one whose words mean something else"],
)
def test_what_cannot_be_read_is_refused_in_one_line(
    filled_url: str, statements: list[str], revision: str, says: str
) -> None:
    change(filled_url, *statements, revision=revision)
    with pytest.raises(LedgerError, match=says) as refused:
        Ledger(filled_url, actor="page", existing=True)
    assert "\n" not in str(refused.value)
