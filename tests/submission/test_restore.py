"""The restore drill, and what a sweep makes of a ledger that has lost something."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.names import Verdict
from adobe_privacy.archive import Manifest, RetentionAction, erase_expired, verify_archive
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.doubts import SeenJob
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Base, Usage
from adobe_privacy.ledger.states import JobState
from adobe_privacy.opt_outs.opt_outs import OptOuts, OptOutSettings, send_opt_outs
from adobe_privacy.ownership import check_owner
from adobe_privacy.planning.planning import PlanSettings
from adobe_privacy.results.completion import complete_jobs
from adobe_privacy.results.sweep import Sweep, sweep
from adobe_privacy.seals import check_history, seal_history
from adobe_privacy.storage import StorageUnavailable, Store, open_store
from adobe_privacy.submission import archive_records
from adobe_privacy.submission.reconciliation import ONLY_THE_LEDGER_KNEW, Reconciliation, reconcile
from tests.submission.day import START, Day
from tests.submission.test_submission import config, hand_in, line, plan
from tests.support.ledgers import DAY, FakeClock
from tests.support.simulator import Simulator


@pytest.fixture
async def drill(adobe: Simulator, tmp_path: Path, ledger_url: str) -> AsyncIterator[Day]:
    adobe.reset()
    (tmp_path / "inbox").mkdir()
    clock = FakeClock(START)
    with Ledger(ledger_url, actor="test", now=clock) as ledger:
        ledger.protection.check({"organisation": adobe.org_id})
        async with PrivacyServiceClient(config(adobe)) as client:
            yield Day(adobe, open_store(f"file://{tmp_path}/inbox"), ledger, client, clock)


Backup = dict[str, list[dict[str, Any]]]


def back_up(ledger: Ledger) -> Backup:
    with ledger.unit.read() as session:
        tables = Base.metadata.sorted_tables
        return {each.name: [dict(row) for row in session.execute(select(each)).mappings()] for each in tables}


def restore(ledger: Ledger, backup: Backup) -> None:
    with ledger.unit.write() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(delete(table))
        for table in Base.metadata.sorted_tables:
            if backup[table.name]:
                session.execute(insert(table), backup[table.name])


async def reconciled(day: Day, *, apply: bool) -> Reconciliation:
    async with PrivacyServiceClient(config(day.simulator)) as client:
        return await reconcile(
            ledger=day.ledger,
            inbox=day.inbox,
            archive=day.archive,
            client=client,
            settings=PlanSettings(organisation=day.simulator.org_id),
            apply=apply,
            regulations=("gdpr",),
        )


async def run(day: Day, run_id: str) -> None:
    for batch in plan(day.inbox, day.ledger, run_id=run_id):
        await day.submit(batch)


def made(day: Day) -> Counter[tuple[str, str]]:
    return Counter((job["key"], job["action"]) for job in day.simulator.jobs())


def by_id(day: Day) -> dict[str, str]:
    return {f"{job['key']} {job['action']}": job["jobId"] for job in day.simulator.jobs()}


async def test_the_restore_drill(drill: Day) -> None:
    """Back-up, 100 requests, restore: nothing sent before `reconcile`, and after it 0 twice and 0 lost."""
    hand_in(drill.inbox, line(0, "access"), name="before.jsonl")
    await run(drill, "before")
    # Taken in before the back-up, sent after it.
    hand_in(drill.inbox, *(line(number) for number in range(1, 21)), name="known.jsonl")
    planned = plan(drill.inbox, drill.ledger, run_id="lost")
    batches = [each for each in planned if drill.ledger.claims.batch_jobs(each.id, JobState.PLANNED)]
    backup = back_up(drill.ledger)
    for batch in batches:
        await drill.submit(batch)
    # Taken in and sent after the back-up.
    hand_in(drill.inbox, *(line(number) for number in range(21, 101)), name="unknown.jsonl")
    await run(drill, "lost, too")
    assert len(made(drill)) == made(drill).total() == 201
    drill.pass_time(timedelta(hours=1))

    restore(drill.ledger, backup)
    # What arrives now was never sent.
    hand_in(drill.inbox, *(line(number) for number in range(101, 111)), name="new.jsonl")
    with pytest.raises(LedgerError, match="older than the archive"):
        check_owner(drill.ledger, drill.archive, drill.simulator.org_id)
    for batch in batches:
        with pytest.raises(LedgerError, match="older than the archive"):
            await drill.submit(batch)
    assert made(drill).total() == 201

    before = back_up(drill.ledger)
    found = await reconciled(drill, apply=False)
    assert (found.differs, found.requests, len(found.at_adobe)) == (True, 90, 200)
    assert back_up(drill.ledger) == before, "a dry run changes nothing"

    found = await reconciled(drill, apply=True)
    assert (found.requests, len(found.at_adobe), found.doubtful) == (90, 200, 20)
    assert drill.ledger.quotas.today().used == 201, "the day's jobs count, whoever remembers sending them"
    assert made(drill).total() == 201, "it sends nothing"
    check_owner(drill.ledger, drill.archive, drill.simulator.org_id)

    await run(drill, "after")
    assert made(drill).total() == len(made(drill)) == 201 + 20, "0 twice"
    ids = by_id(drill)
    for number in range(1, 111):
        for job in drill.ledger.people.request_jobs(f"DSR-{number}"):
            assert job.state is JobState.SUBMITTED
            assert job.adobe_job_id == ids[f"{job.key} {job.action}"], "0 lost"
    again = await reconciled(drill, apply=False)
    assert (again.differs, again.at_adobe, again.unknown) == (False, [], 0)


async def test_what_was_made_yesterday_is_charged_to_yesterday(drill: Day) -> None:
    hand_in(drill.inbox, line(1), line(2, "access"))
    backup = back_up(drill.ledger)
    await run(drill, "lost")
    yesterday = drill.clock().date()
    drill.pass_time(timedelta(hours=20))
    restore(drill.ledger, backup)
    await reconciled(drill, apply=True)
    with drill.ledger.unit.read() as session:
        assert {row.day: row.jobs for row in session.scalars(select(Usage))} == {yesterday: 3}
    assert drill.ledger.quotas.today().used == 0
    [job] = drill.ledger.people.request_jobs("DSR-2")
    assert job.submitted_at is not None
    assert job.submitted_at.date() == yesterday, "it is as old as Adobe says"


def manifest(day: Day, job: dict[str, Any], *, verdict: str, products: list[dict[str, Any]]) -> str:
    """Archives one of Adobe's jobs by a manifest alone, as this version or an older one wrote it."""
    place = f"jobs/gdpr/{DAY:%Y/%m/%d}/{job['jobId']}/manifest.json"
    completeness = {
        "verdict": verdict,
        "products_requested": ["profileService"],
        "products_answered": [],
        "products_missing": [],
        "folders_found": [],
        "other_folders": 0,
    }
    fields = {
        "job_id": job["jobId"],
        "request_id": job["key"],
        "request_key": job["key"],
        "regulation": "gdpr",
        "action": job["action"],
        "status": "complete",
        "completed_at": day.clock().replace(hour=23).isoformat(),
        "archived_at": day.clock().replace(hour=23).isoformat(),
        "products": products,
        "completeness": completeness,
    }
    day.archive.create(place, json.dumps(fields).encode())
    return place


def answer(code: str | None, verdict: str | None = None) -> list[dict[str, Any]]:
    fields = {"name": "Profile", "status": "complete", "code": code, "verdict": verdict}
    return [{name: value for name, value in fields.items() if value is not None}]


# By a case: the whole verdict in the manifest, its products, and what the ledger makes of it.
ARCHIVED: dict[str, tuple[str, list[dict[str, Any]], Verdict]] = {
    "of this version": ("in part", answer("6000-200", Verdict.DATA_LEFT), Verdict.IN_PART),
    "a product's verdict that nobody knows": ("done", answer("6000-200", "data left"), Verdict.AS_BEFORE),
    "of this version, and done": ("done", answer("6000-200", "done"), Verdict.DONE),
    "better than its products": ("done", answer("6000-200", "wrong namespace"), Verdict.NOT_DONE),
    "of an older version, done": ("full", answer("6000-200"), Verdict.DONE),
    "of an older version, wrong namespace": ("full", answer("6053-200"), Verdict.NOT_DONE),
    "of an older version, without products": ("full", [], Verdict.AS_BEFORE),
    "in words that nobody knows": ("splendid", [], Verdict.AS_BEFORE),
}


async def test_what_the_archive_has_is_judged_as_everywhere(drill: Day) -> None:
    """Nothing becomes better by a restore: what a manifest does not say enough about stays `as judged before`."""
    hand_in(drill.inbox, *(line(number, "delete") for number in range(len(ARCHIVED))))
    backup = back_up(drill.ledger)
    await run(drill, "lost")
    jobs = {job["key"]: job for job in drill.simulator.jobs()}
    places = [
        manifest(drill, jobs[f"DSR-{number}"], verdict=whole, products=products)
        for number, (whole, products, _) in enumerate(ARCHIVED.values())
    ]
    restore(drill.ledger, backup)
    drill.pass_time(timedelta(days=1))
    found = await reconciled(drill, apply=True)
    assert (len(found.archived), found.at_adobe, found.notes) == (len(ARCHIVED), [], [])
    for number, (case, (_, _, verdict)) in enumerate(ARCHIVED.items()):
        [job] = drill.ledger.people.request_jobs(f"DSR-{number}")
        assert (job.state, job.outcome) == (JobState.ARCHIVED, verdict), case
        assert job.manifest == places[number]
        assert job.manifest_sha256 == hashlib.sha256(drill.archive.read(places[number])).hexdigest()
    with drill.ledger.unit.read() as session:
        assert [row.jobs for row in session.scalars(select(Usage))] == [len(ARCHIVED)]


async def test_an_unreadable_manifest_makes_nothing_archived(drill: Day) -> None:
    hand_in(drill.inbox, line(1, "delete"))
    backup = back_up(drill.ledger)
    await run(drill, "lost")
    [made_job] = drill.simulator.jobs()
    place = manifest(drill, made_job, verdict="done", products=answer("6000-200", "done"))
    drill.archive.write(place, b"{")
    restore(drill.ledger, backup)
    found = await reconciled(drill, apply=True)
    assert (found.archived, found.at_adobe) == ([], ["DSR-1 (delete)"])
    assert [place in note for note in found.notes] == [True]
    [job] = drill.ledger.people.request_jobs("DSR-1")
    assert (job.state, job.outcome) == (JobState.SUBMITTED, None)


async def opt_out(day: Day) -> OptOuts:
    return await send_opt_outs(
        day=DAY,
        inbox=day.inbox,
        ledger=day.ledger,
        archive=day.archive,
        client=day.client,
        settings=OptOutSettings(),
    )


def opt_out_line(number: int) -> dict[str, Any]:
    return line(number, "opt_out_of_sale", regulation="ccpa")


async def test_receipts_of_opt_outs_are_recovered(drill: Day) -> None:
    drill.ledger.intake.fingerprint(b"")  # the key is of before the back-up
    backup = back_up(drill.ledger)
    hand_in(drill.inbox, *(opt_out_line(number) for number in range(1, 4)))
    plan(drill.inbox, drill.ledger)
    assert (await opt_out(drill)).accepted == 3
    accepted = drill.clock()
    restore(drill.ledger, backup)
    drill.pass_time(timedelta(hours=1))
    # The inbox names another person for the third; the fourth is new.
    other = opt_out_line(3) | {"identities": [{"namespace": "email", "value": "other@example.com"}]}
    hand_in(drill.inbox, opt_out_line(1), opt_out_line(2), other, opt_out_line(4))

    before = back_up(drill.ledger)
    found = await reconciled(drill, apply=False)
    assert (found.differs, found.receipts) == (True, ["DSR-1", "DSR-2"])
    assert back_up(drill.ledger) == before
    found = await reconciled(drill, apply=True)
    assert found.receipts == ["DSR-1", "DSR-2"]
    assert ["DSR-3.json is of other identities" in note for note in found.notes] == [True]
    assert found.not_recovered == ONLY_THE_LEDGER_KNEW
    for number in (1, 2):
        [job] = drill.ledger.people.request_jobs(f"DSR-{number}")
        assert (job.state, job.outcome, job.submitted_at) == (JobState.ARCHIVED, Verdict.ACCEPTED, accepted)
        assert job.manifest is not None
        assert job.manifest_sha256 == hashlib.sha256(drill.archive.read(job.manifest)).hexdigest()
    calls = drill.simulator.calls().get("consent", 0)
    again = await opt_out(drill)
    assert again.accepted == 2, "the other person's and the new one"
    assert drill.simulator.calls().get("consent", 0) == calls + 1


@pytest.mark.parametrize("damage", ["gone", "changed"])
async def test_a_receipt_that_is_not_as_it_was_written_is_found(drill: Day, damage: str) -> None:
    """It is all the proof that there is of an opt-out."""
    hand_in(drill.inbox, opt_out_line(1))
    plan(drill.inbox, drill.ledger)
    assert (await opt_out(drill)).accepted == 1
    [receipt] = drill.archive.objects("optouts")
    verification = verify_archive(drill.archive, witness=drill.ledger.chain)
    assert list(verification) == []
    if damage == "gone":
        drill.archive.delete(receipt.key)
    else:
        drill.archive.write(receipt.key, drill.archive.read(receipt.key).replace(b"accepted", b"refused"))
    told = list(verify_archive(drill.archive, witness=drill.ledger.chain))
    assert [(each.severity, each.key) for each in told] == [("error", receipt.key)]
    assert told[0].problem == ("missing-receipt" if damage == "gone" else "changed-receipt")
    others = verify_archive(drill.archive, witness=drill.ledger.chain, selected=lambda _: False)
    assert list(others) == []


async def test_a_job_that_a_sweep_marks_at_the_last_moment_is_not_sent(drill: Day) -> None:
    """Between the look at a batch and its intent."""
    hand_in(drill.inbox, line(1))
    [batch] = plan(drill.inbox, drill.ledger)
    ids = [job.id for job in drill.ledger.claims.batch_jobs(batch.id)]
    assert drill.ledger.doubts.note_seen([SeenJob("adobe-1", "DSR-1", "delete")]) == 1
    intended = drill.ledger.intents.intend(batch.id, ids, daily_limit=100)
    assert [job.action for job in intended] == ["access"]


async def test_what_cannot_be_known_is_not_sent(drill: Day) -> None:
    """Adobe's lists do not show yet what was sent a moment before the restore."""
    hand_in(drill.inbox, line(1, "access"))
    [batch] = plan(drill.inbox, drill.ledger)
    backup = back_up(drill.ledger)
    await drill.submit(batch)
    restore(drill.ledger, backup)
    drill.simulator.switch(list_lag_seconds=3600)
    found = await reconciled(drill, apply=True)
    assert (found.at_adobe, found.doubtful) == ([], 1)
    # Nobody ever saw an open job in a list: its absence proves nothing.
    result = await drill.submit(plan(drill.inbox, drill.ledger, run_id="after")[0])
    assert made(drill).total() == 1
    assert result.unknown == 1
    drill.simulator.switch(list_lag_seconds=0)
    result = await drill.submit(batch)
    assert result.recognised == 1
    assert made(drill).total() == 1


async def swept_by(day: Day, **options: Any) -> Sweep:
    return await sweep(
        first=DAY,
        last=DAY + timedelta(days=2),
        ledger=day.ledger,
        archive=day.archive,
        client=day.client,
        regulations=["gdpr"],
        **options,
    )


async def test_a_sweep_marks_what_the_ledger_takes_for_not_sent(drill: Day) -> None:
    """p10: neither the archive nor a person has noticed the restore."""
    hand_in(drill.inbox, line(1))
    drill.ledger.intake.fingerprint(b"")
    backup = back_up(drill.ledger)
    await run(drill, "run")
    restore(drill.ledger, backup)
    (Path(drill.archive.location.prefix) / "ledger.json").unlink()
    [batch] = plan(drill.inbox, drill.ledger, run_id="after the restore")
    swept = await swept_by(drill)
    assert swept.doubtful == 2
    assert drill.ledger.quotas.today().used == 0
    result = await drill.submit(batch)
    assert (result.recognised, result.submitted) == (2, 0)
    assert made(drill) == {("DSR-1", "access"): 1, ("DSR-1", "delete"): 1}
    assert drill.ledger.quotas.today().used == 2


async def test_a_ledger_that_is_lost_for_good_goes_on_with_an_empty_one(drill: Day) -> None:
    backup = back_up(drill.ledger)
    hand_in(drill.inbox, *(line(number) for number in range(1, 4)))
    await run(drill, "lost")
    restore(drill.ledger, backup)
    drill.pass_time(timedelta(hours=1))
    with pytest.raises(LedgerError, match="an empty one"):
        check_owner(drill.ledger, drill.archive, drill.simulator.org_id)
    await reconciled(drill, apply=True)
    await run(drill, "after")
    assert made(drill).total() == len(made(drill)) == 6


async def test_the_ledger_that_had_the_archive_stops(drill: Day, tmp_path: Path) -> None:
    hand_in(drill.inbox, line(1))
    await run(drill, "run")
    still_running = back_up(drill.ledger)
    drill.ledger.identity.renew(at_least=0)
    await reconciled(drill, apply=True)
    restore(drill.ledger, still_running)
    with pytest.raises(LedgerError, match="belongs to the ledger"):
        check_owner(drill.ledger, drill.archive, drill.simulator.org_id)


@pytest.mark.parametrize("named", [["profileService", "target"], []], ids=["by the request", "by nobody"])
@pytest.mark.parametrize("silent", [["Target"], ["Target", "Profile"]], ids=["one", "all"])
async def test_of_a_recognised_job_it_is_known_which_products_were_asked(
    drill: Day, named: list[str], silent: list[str]
) -> None:
    """Its batch was lost. A product that did not answer must not pass for one that was not asked."""
    products = ["profileService", "target"]
    hand_in(drill.inbox, line(1, "delete", products=named))
    drill.ledger.intake.fingerprint(b"")
    backup = back_up(drill.ledger)
    rules = [{"product": product, "silent": True} for product in silent]
    drill.simulator.scenario({"rules": rules})
    drill.simulator.switch(jobs_never_finish=False, delete_delay_seconds="60")
    for batch in plan(drill.inbox, drill.ledger, default_products=tuple(products)):
        await drill.submit(batch)
    restore(drill.ledger, backup)
    drill.pass_time(timedelta(days=1))
    async with PrivacyServiceClient(config(drill.simulator)) as client:
        await reconcile(
            ledger=drill.ledger,
            inbox=drill.inbox,
            archive=drill.archive,
            client=client,
            settings=PlanSettings(organisation=drill.simulator.org_id, default_products=tuple(products)),
            apply=True,
            regulations=("gdpr",),
        )
    swept = await swept_by(drill, default_products=products)
    [job] = drill.ledger.people.request_jobs("DSR-1")
    assert (swept.archived, job.state) == (1, JobState.ARCHIVED)
    assert len(swept.not_done) == 1
    assert drill.ledger.attention.counts()["not_done"] == 1


class LedgersWord:
    """What the retention asks, as its operator does."""

    def __init__(self, ledger: Ledger) -> None:
        self.topic = ledger.erasures

    def begin(self, manifest: Manifest) -> bool:
        return self.topic.begin(manifest.job_id, manifest.request_id, manifest.folder)

    def is_held(self, manifest: Manifest) -> bool:
        return self.topic.is_held(manifest.job_id, manifest.request_id)

    def not_due(self, manifest: Manifest) -> None:
        self.topic.not_due(manifest.job_id)

    def done(self, manifest: Manifest) -> None:
        self.topic.done(manifest.job_id, manifest.written_sha256)

    def unfinished(self) -> list[str]:
        return self.topic.unfinished()

    def stopped(self, folder: str) -> bool:
        return self.topic.note_stopped(folder)


def erase(day: Day) -> list[RetentionAction]:
    return list(erase_expired(day.archive, {"gdpr": 1}, erasures=LedgersWord(day.ledger), clock=day.clock))


async def run_and_archive(day: Day) -> None:
    day.simulator.switch(jobs_never_finish=False, access_delay_seconds="60", delete_delay_seconds="60")
    await run(day, "run")
    day.pass_time(timedelta(days=1))
    jobs = [
        job
        for request in sorted({job["key"] for job in day.simulator.jobs()})
        for job in day.ledger.people.request_jobs(request)
        if job.state is JobState.SUBMITTED
    ]
    completion = await complete_jobs(jobs, ledger=day.ledger, archive=day.archive, client=day.client)
    assert completion.archived == len(jobs)


def findings(day: Day) -> list[str]:
    return [each.problem for each in verify_archive(day.archive, witness=day.ledger.chain)]


@pytest.mark.parametrize("archived", ["before the back-up", "after it"])
async def test_a_restored_ledger_learns_what_was_erased(drill: Day, archived: str) -> None:
    """It takes no erased result for one that is there, nor for one that was lost."""
    hand_in(drill.inbox, line(1), line(2), line(3, "delete"))
    drill.ledger.intake.fingerprint(b"")
    backup = back_up(drill.ledger)
    await run_and_archive(drill)
    if archived == "before the back-up":
        backup = back_up(drill.ledger)
    drill.ledger.people.hold("DSR-2", "litigation")
    drill.pass_time(timedelta(days=3))
    assert sorted(each.action for each in erase(drill)) == ["erased", "held"]
    assert findings(drill) == []
    [erased] = drill.ledger.erasures.of_request("DSR-1")
    restore(drill.ledger, backup)
    assert findings(drill) != []

    before = back_up(drill.ledger)
    found = await reconciled(drill, apply=False)
    assert (found.differs, found.erased) == (True, ["DSR-1 (access)"])
    assert back_up(drill.ledger) == before
    found = await reconciled(drill, apply=True)
    assert (found.erased, found.notes) == (["DSR-1 (access)"], [])
    [known] = drill.ledger.erasures.of_request("DSR-1")
    assert (known.adobe_job_id, known.folder) == (erased.adobe_job_id, erased.folder)
    assert known.done_at == erased.done_at
    assert drill.ledger.erasures.of_request("DSR-2") == []
    assert findings(drill) == [], "each manifest is the one that the ledger knows"
    [history] = [each for each in drill.ledger.people.history("DSR-1") if "was erased" in each.reason]
    assert history.adobe_job_id == erased.adobe_job_id
    again = await reconciled(drill, apply=True)
    assert (again.differs, again.erased) == (False, [])


async def test_an_erasure_that_was_begun_is_brought_to_its_end(
    drill: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tombstone says that it has begun. A hold that is placed after the restore comes too late."""
    hand_in(drill.inbox, line(1, "access"))
    await run_and_archive(drill)
    backup = back_up(drill.ledger)
    drill.pass_time(timedelta(days=3))
    with monkeypatch.context() as broken:
        broken.setattr(
            Store, "delete", lambda *_: (_ for _ in ()).throw(StorageUnavailable("down", uri="file:"))
        )
        assert [each.action for each in erase(drill)] == ["failed"]
    restore(drill.ledger, backup)
    drill.ledger.people.hold("DSR-1", "litigation")
    # The store's clock is not the simulator's.
    monkeypatch.setattr(archive_records, "CLOCKS_DIFFER", timedelta(days=-365_000))
    found = await reconciled(drill, apply=True)
    assert found.erased == ["DSR-1 (access)"]
    [known] = drill.ledger.erasures.of_request("DSR-1")
    assert known.done_at is None, "hold says that it is being erased already"
    assert [each.action for each in erase(drill)] == ["erased"]
    assert findings(drill) == []


@pytest.mark.parametrize("lost", ["a submission too", "what came after it"])
async def test_a_history_that_was_sealed_and_lost_is_known_as_lost(drill: Day, lost: str) -> None:
    """Else each night's verification would fail for ever. It was sealed after the last submission."""
    hand_in(drill.inbox, line(1, "access"))
    drill.ledger.intake.fingerprint(b"")
    backup = back_up(drill.ledger)
    await run_and_archive(drill)
    if lost == "what came after it":
        backup = back_up(drill.ledger)
    drill.ledger.people.hold("DSR-1", "litigation")
    drill.pass_time(timedelta(days=1))
    seal_history(drill.ledger, drill.archive)
    restore(drill.ledger, backup)
    assert check_history(drill.ledger, drill.archive) != []
    found = await reconciled(drill, apply=False)
    assert (found.differs, found.seals, found.not_recovered) == (True, 1, ONLY_THE_LEDGER_KNEW)
    assert (await reconciled(drill, apply=True)).seals == 1
    assert check_history(drill.ledger, drill.archive) == []
    drill.pass_time(timedelta(days=1))
    seal_history(drill.ledger, drill.archive)
    assert check_history(drill.ledger, drill.archive) == []
    again = await reconciled(drill, apply=True)
    assert (again.differs, again.seals) == (False, 0)


async def test_a_seal_with_a_date_in_the_future_stops_no_submission(drill: Day) -> None:
    """The clock of the worker that sealed was ahead by a year."""
    hand_in(drill.inbox, line(1, "access"))
    drill.ledger.intake.fingerprint(b"")
    await run_and_archive(drill)
    backup = back_up(drill.ledger)
    drill.ledger.people.hold("DSR-1", "litigation")
    drill.clock.advance(days=365)
    seal_history(drill.ledger, drill.archive)
    drill.clock.advance(days=-365)
    restore(drill.ledger, backup)
    assert (await reconciled(drill, apply=True)).seals == 1
    assert check_history(drill.ledger, drill.archive) == []
    assert (await reconciled(drill, apply=True)).seals == 0
    time_lost = drill.ledger.doubts.lost()
    assert time_lost is not None
    assert time_lost.until <= max(drill.ledger.now(), drill.client.server_time())


async def test_a_submission_with_a_date_in_the_future_hides_nothing(drill: Day) -> None:
    """What was sent before the restore is found, although the last submission of the backup is of next year."""
    hand_in(drill.inbox, line(1, "access"))
    drill.clock.advance(days=365)
    await run(drill, "before")
    backup = back_up(drill.ledger)
    hand_in(drill.inbox, line(2, "access"), name="lost.jsonl")
    await run(drill, "lost")
    drill.clock.advance(days=-365)
    restore(drill.ledger, backup)
    assert (await reconciled(drill, apply=True)).differs
    time_lost = drill.ledger.doubts.lost()
    assert time_lost is not None
    assert time_lost.until <= max(drill.ledger.now(), drill.client.server_time())
    assert time_lost.since is None, "nobody knows"


async def test_results_that_lie_as_they_were_archived_are_not_read(
    drill: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(drill.inbox, line(1), line(2, "delete"))
    await run_and_archive(drill)
    monkeypatch.setattr(archive_records, "read_manifest", lambda *_: pytest.fail("it is known"))
    monkeypatch.setattr(archive_records, "CLOCKS_DIFFER", timedelta(days=365_000))
    found = await reconciled(drill, apply=False)
    assert (found.differs, found.archived, found.erased) == (False, [], [])
