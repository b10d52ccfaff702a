"""What became of a request, from Adobe's answer to everyone who tells it: one word in all places."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.models import CompanyContext, CreateJobsRequest, Identity, User
from adobe_privacy.api.names import OUTCOME_CODES, Verdict
from adobe_privacy.archive import iter_manifests
from adobe_privacy.archive.manifest import Manifest
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job, ProductAnswer
from adobe_privacy.ledger.states import JobState
from adobe_privacy.reporting.reports import as_json, evidence
from adobe_privacy.reporting.run_report import Settlement, settle
from adobe_privacy.results.completion import PATIENCE, Completion, complete_jobs
from adobe_privacy.results.verdicts import is_missed
from adobe_privacy.storage import FileOptions, Store, open_store
from adobe_privacy.web.words import job_words
from tests.results.test_verdicts import BY_CODE, DOES_SOMETHING, FULFILS
from tests.support.ledgers import DAY, received
from tests.support.simulator import Simulator, running_simulator

PLUGINS = Path(__file__).parents[2] / "plugins" / "adobe_privacy"
ECID = "44363657679975868102109072127600000042"
CANARY = "canary.person@example.com"


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    with running_simulator(clock_rate=0) as simulator:
        yield simulator


@dataclass
class Place:
    simulator: Simulator
    client: PrivacyServiceClient
    ledger: Ledger
    archive: Store

    async def submitted(
        self, action: str, *products: str, keys: int = 1, include: tuple[str, ...] = ()
    ) -> None:
        """Jobs at Adobe, about an e-mail address and an ECID, as a submission leaves them in the ledger."""
        ledger, limit = self.ledger, max(100, keys)
        ledger.intake.receive(
            [received(number, action, products=",".join(products)) for number in range(keys)]
        )
        batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=limit)
        assert batch is not None
        ids = [job.id for job in ledger.claims.batch_jobs(batch.id)]
        jobs = ledger.intents.intend(batch.id, ids, daily_limit=limit)
        created = await self.client.create_jobs(
            CreateJobsRequest(
                users=tuple(
                    User(
                        key=job.key,
                        actions=(action,),  # type: ignore[arg-type]
                        identities=(
                            Identity(namespace="email", value=CANARY),
                            Identity(namespace="ECID", value=ECID),
                        ),
                    )
                    for job in jobs
                ),
                include=include or products,
                regulation="gdpr",
                company_contexts=(CompanyContext.organisation(self.simulator.org_id),),
            )
        )
        made = {row.key: row.job_id for row in created.jobs}
        ledger.intents.record_submitted(
            [(job, made[job.key]) for job in jobs], adobe_request_id=None, reason="Adobe's answer"
        )

    async def complete(self, *, after: float = 60) -> Completion:
        self.simulator.advance(after)
        jobs = [
            job
            for job in self.ledger.overview.run_jobs(run_id="run", inbox_date=DAY)
            if job.state in (JobState.SUBMITTED, JobState.COMPLETE)
        ]
        return await complete_jobs(jobs, ledger=self.ledger, archive=self.archive, client=self.client)

    def job(self, number: int = 0) -> Job:
        [job] = self.ledger.people.request_jobs(f"DSR-{number}")
        return job

    def answers(self, number: int = 0) -> list[ProductAnswer]:
        job = self.job(number)
        return self.ledger.results.answers([job.id]).get(job.id, [])

    def verdicts(self, number: int = 0) -> dict[str, str]:
        return {answer.product: answer.verdict for answer in self.answers(number)}

    def manifests(self) -> list[Manifest]:
        return [manifest for _, manifest in iter_manifests(self.archive) if isinstance(manifest, Manifest)]

    def settled(self) -> Settlement:
        return settle(self.ledger, run_id="run", inbox_date=DAY)


@pytest.fixture
async def place(shared: Simulator, sqlite_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    shared.reset()
    archive = open_store(f"file://{tmp_path}/archive", FileOptions(create=True))
    config = shared.client_config(timeout=10.0, retry_base_delay=0.01)
    with Ledger(sqlite_url, actor="privacy_requests/run/archive") as ledger:
        async with PrivacyServiceClient(config) as client:
            yield Place(shared, client, ledger, archive)


@pytest.mark.parametrize("code", OUTCOME_CODES)
@pytest.mark.parametrize("action", ["access", "delete"])
async def test_one_word_in_ledger_manifest_page_report_and_note(place: Place, action: str, code: str) -> None:
    place.simulator.scenario({"rules": [{"product": "identity", "code": code, "job_status": "complete"}]})
    await place.submitted(action, "profileService", "identity")
    await place.complete()
    job, [manifest] = place.job(), place.manifests()
    pack = evidence(place.ledger, "DSR-0", place.archive)
    assert pack is not None
    told = {
        job.outcome,
        manifest.completeness.verdict,
        job_words(job, DAY)["outcome"],
        pack["jobs"][0]["outcome"],
        pack["manifests"][job.manifest]["completeness"]["verdict"],
    }
    assert len(told) == 1
    assert told <= {verdict.value for verdict in Verdict}
    by_product = {answer.name: answer.verdict for answer in place.answers()}
    assert by_product == {product.name: product.verdict for product in manifest.products}
    assert by_product == {answer["name"]: answer["verdict"] for answer in pack["jobs"][0]["answers"]}
    settlement = place.settled()
    if settlement.problems:
        assert f"{by_product['Identity']} at Identity" in settlement.figures
    assert bool(settlement.problems) is (
        code not in ("6000-200", "6051-200", "6054-200") and (action == "delete" or code != "6052-200")
    )


def whole_word(*codes: str) -> Verdict:
    """The contract's verdict on a job of which two products answered so."""
    if FULFILS.issuperset(codes):
        return Verdict.DONE if "6000-200" in codes else Verdict.NOTHING_TO_DO
    return Verdict.NOT_DONE if DOES_SOMETHING.isdisjoint(codes) else Verdict.IN_PART


@pytest.mark.parametrize("action", ["access", "delete"])
async def test_every_pair_of_two_answers_has_one_word_everywhere(place: Place, action: str) -> None:
    products = ("profileService", "identity")
    pairs = list(itertools.product(BY_CODE, repeat=2))
    rules = [
        {"key": f"DSR-{number}", "product": name, "code": code, "job_status": "complete"}
        for number, codes in enumerate(pairs)
        for name, code in zip(products, codes, strict=True)
    ]
    place.simulator.scenario({"rules": rules})
    await place.submitted(action, *products, keys=len(pairs))
    result = await place.complete()
    assert (result.archived, result.failures) == (len(pairs), [])
    manifests = {manifest.request_id: manifest for manifest in place.manifests()}
    undone = 0
    for number, codes in enumerate(pairs):
        job, pack = place.job(number), evidence(place.ledger, f"DSR-{number}")
        assert pack is not None
        told = [
            str(job.outcome),
            manifests[job.request_id].completeness.verdict,
            job_words(job, DAY)["outcome"],
            pack["jobs"][0]["outcome"],
        ]
        assert told == [whole_word(*codes)] * len(told), codes
        by_product = {name: BY_CODE[code] for name, code in zip(products, codes, strict=True)}
        assert place.verdicts(number) == by_product, codes
        undone += any(is_missed(action, verdict) for verdict in by_product.values())
    [figures] = place.ledger.figures.requests(DAY.replace(year=2020), DAY.replace(year=2030))
    words = Counter(whole_word(*codes) for codes in pairs)
    assert figures.whole == words[Verdict.DONE] + words[Verdict.NOTHING_TO_DO]
    assert (figures.part, figures.failed) == (words[Verdict.IN_PART], words[Verdict.NOT_DONE])
    settlement = place.settled()
    assert settlement.problems == undone
    assert f"{undone} of {len(pairs)} {'accesses' if action == 'access' else 'deletes'} not done: " in (
        settlement.figures
    )


async def test_a_delete_that_looked_for_nobody_is_red_and_counted_by_its_reason(place: Place) -> None:
    await place.submitted("delete", "aepDataLake", "profileService", keys=3)
    result = await place.complete()
    assert (result.archived, result.partial, len(result.missed)) == (3, 3, 3)
    assert place.verdicts() == {"aepDataLake": "wrong namespace", "profileService": "done"}
    settlement = place.settled()
    assert settlement.problems == 3
    assert settlement.figures.endswith("3 of 3 deletes not done: 3 wrong namespace at aepDataLake")
    assert "in part: wrong namespace at aepDataLake" in settlement.named[0]
    [figures] = place.ledger.figures.requests(DAY.replace(year=2020), DAY.replace(year=2030))
    assert (figures.whole, figures.part, figures.failed) == (0, 3, 0)


async def test_identities_that_a_product_cannot_use_are_no_loss(place: Place) -> None:
    await place.submitted("delete", "analytics", "marketo")
    assert (await place.complete()).missed == []
    assert {answer.code for answer in place.answers()} == {"6054-200"}
    assert (place.job().outcome, place.verdicts()) == ("done", {"analytics": "done", "marketo": "done"})
    assert place.settled().problems == 0


async def test_an_identity_that_was_not_found_is_told_and_is_no_error(place: Place) -> None:
    place.simulator.scenario({"rules": [{"product": "identity", "not_found": "canary*"}]})
    await place.submitted("delete", "profileService", "identity")
    await place.complete()
    settlement = place.settled()
    assert (place.job().outcome, settlement.problems) == ("in part", 0)
    assert "In part: DSR-0 (delete): in part, 6054-200" in settlement.lines
    assert "1 archived (1 not in whole)" in settlement.figures


async def test_a_job_in_error_leaves_what_its_other_products_did(place: Place) -> None:
    place.simulator.scenario({"rules": [{"product": "identity", "code": "1000-400"}]})
    await place.submitted(
        "delete", "profileService", "identity", "target", include=("profileService", "identity")
    )
    result = await place.complete()
    assert len(result.errors) == 1
    job, [manifest] = place.job(), place.manifests()
    assert (job.state, job.outcome, job.outcome_code) == (JobState.ERROR, "in part", "1000-400")
    assert job.manifest == f"{manifest.folder}/manifest.json"
    assert (manifest.status, manifest.completeness.products_missing) == ("error", ["target"])
    assert place.verdicts() == {"profileService": "done", "identity": "not done", "target": "no answer"}
    settlement = place.settled()
    assert settlement.problems == 1
    assert settlement.figures.endswith(
        "1 of 1 deletes not done: 1 not done at Identity, 1 no answer from target"
    )
    assert (await place.complete()).jobs == 0


async def test_a_result_that_a_job_in_error_offers_is_fetched(place: Place) -> None:
    place.simulator.scenario(
        {"rules": [{"product": "identity", "code": "1000-400", "result_in_error": True}]}
    )
    await place.submitted("access", "profileService", "identity")
    await place.complete()
    [manifest] = place.manifests()
    assert (manifest.status, place.job().state) == ("error", JobState.ERROR)
    assert manifest.object_key is not None
    assert len(place.archive.read(manifest.object_key)) == manifest.size


async def test_a_result_that_a_job_in_error_offers_in_vain_costs_no_evidence(place: Place) -> None:
    place.simulator.scenario(
        {"rules": [{"product": "identity", "code": "1000-400", "result_in_error": True}]}
    )
    place.simulator.fault("content", "gone", times=None)
    await place.submitted("access", "profileService", "identity")
    assert (await place.complete()).failures == []
    [manifest] = place.manifests()
    assert (manifest.object, place.job().manifest) == (None, f"{manifest.folder}/manifest.json")


async def test_each_attempt_leaves_a_manifest_and_the_last_one_counts(place: Place) -> None:
    place.simulator.scenario({"rules": [{"product": "identity", "code": "1020-400"}]})
    await place.submitted("delete", "identity")
    assert (await place.complete()).errors[0].endswith("sent again")
    job = place.job()
    assert (job.state, job.attempt, job.outcome, job.manifest) == (JobState.RECEIVED, 2, None, None)
    assert len(place.manifests()) == 1
    assert place.answers() == []


async def test_a_child_job_in_error_is_not_hidden_by_its_parent(place: Place) -> None:
    place.simulator.scenario({"rules": [{"product": "identity", "child_code": "1021-400"}]})
    await place.submitted("delete", "identity")
    await place.complete()
    assert place.job().outcome == "not done"
    assert [(answer.name, answer.verdict) for answer in place.answers()] == [
        ("Identity", "not done"),
        ("Identity (child job)", "not done"),
    ]
    assert place.settled().problems == 1


async def test_a_product_that_has_yet_to_answer_is_asked_again(place: Place) -> None:
    late = {"product": "identity", "waited_for": False, "delay_seconds": 864_000}
    place.simulator.scenario({"rules": [late]})
    await place.submitted("access", "profileService", "identity")
    result = await place.complete()
    assert (result.late, result.open, result.archived) == (1, 0, 0)
    assert (place.job().state, place.job().outcome) == (JobState.SUBMITTED, "no final answer yet")
    assert place.verdicts() == {"profileService": "done", "identity": "no final answer yet"}
    settlement = place.settled()
    assert (settlement.problems, settlement.at_adobe) == (0, 1)
    assert (await place.complete(after=864_000)).archived == 1
    assert (place.job().state, place.job().outcome) == (JobState.ARCHIVED, "done")
    assert place.verdicts() == {"profileService": "done", "identity": "done"}


async def test_a_product_that_never_answers_is_given_up_while_the_result_can_be_had(place: Place) -> None:
    place.simulator.scenario({"rules": [{"product": "identity", "waited_for": False, "never": True}]})
    await place.submitted("access", "profileService", "identity")
    assert (await place.complete()).late == 1
    assert (await place.complete(after=PATIENCE.total_seconds() + 3600)).archived == 1
    assert (place.job().outcome, place.verdicts()["identity"]) == ("in part", "no answer")
    [manifest] = place.manifests()
    assert manifest.object is not None
    assert place.settled().problems == 1


async def test_adobe_s_words_are_kept_without_the_identities_in_them(place: Place, tmp_path: Path) -> None:
    words = "{identities} / {IDENTITIES} / other.person@example.com: value not formatted correctly"
    rule = {"code": "1000-400", "detail": words, "message": "Failure of {identities}", "retry_count": 3}
    place.simulator.scenario({"rules": [rule]})
    await place.submitted("delete", "identity")
    result = await place.complete()
    [answer] = place.answers()
    assert answer.detail is not None
    assert answer.detail.startswith("[identity], [identity] / [identity], [identity] / [identity]: value not")
    assert (answer.message, answer.retry_count) == ("Failure of [identity], [identity]", 3)
    assert answer.processed_at is not None
    pack = evidence(place.ledger, "DSR-0", place.archive)
    told = as_json(pack) + repr(result) + repr(place.settled())
    with place.ledger.unit.read() as session:
        for table in ("privacy_jobs", "privacy_answers", "privacy_transitions"):
            told += repr(session.execute(text(f"SELECT * FROM {table}")).all())
    told += "".join(path.read_text() for path in (tmp_path / "archive").rglob("manifest.json"))
    for value in (CANARY, "other.person", ECID):
        assert value.lower() not in told.lower()


def test_nobody_else_judges() -> None:
    """A second table of codes or verdicts is a second judgement."""
    allowed = {Path("api/names.py"), Path("results/verdicts.py")}
    code = re.compile(r"[\"'(]-?(?:PRVCY-)?(?:\d{4}-[24]00|605[1-4]|-200|-400)\b")
    # `unknown` is a word of its own, for much else.
    words = "|".join(re.escape(verdict.value) for verdict in Verdict if verdict is not Verdict.UNKNOWN)
    word = re.compile(rf"[\"'](?:{words}|full|partial|gap|not_applicable)[\"']")
    for path in sorted([*PLUGINS.rglob("*.py"), *PLUGINS.rglob("*.html"), *PLUGINS.rglob("*.js")]):
        name = path.relative_to(PLUGINS)
        if name in allowed or "migrations" in name.parts:
            continue
        source = path.read_text()
        found = [match.group() for match in (*code.finditer(source), *word.finditer(source))]
        assert found == ALLOWED.get(str(name), []), name


def test_whoever_names_a_verdict_is_known() -> None:
    """A new place that tells verdicts apart may be a second judgement: look at it before it comes onto this list."""
    named = re.compile(r"\bVerdict\.([A-Z_]+)")
    for path in sorted(PLUGINS.rglob("*.py")):
        name = str(path.relative_to(PLUGINS))
        if name in ("api/names.py", "results/verdicts.py"):
            continue
        assert set(named.findall(path.read_text())) <= NAMED.get(name, set()), name


def test_tests_know_no_other_outcome() -> None:
    """An outcome that no judgement gives is tested by nobody."""
    given = re.compile(r"FinishedJob\([^,()]+,[^,]+,\s*\"([^\"]*)\"")
    known = {verdict.value for verdict in Verdict}
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        assert set(given.findall(path.read_text())) <= known, path.name


# Names of counts, and of two refusals of a call, which are no outcomes.
ALLOWED: dict[str, list[str]] = {
    "opt_outs/opt_outs.py": ['"accepted"'],
    "operators/privacy_optouts.py": ['"accepted"', '"accepted"', "'accepted'"],
    "dags/_privacy_optouts.py": ['"accepted"'],
    "api/error_bodies.py": ['"1030-400', '"1010-400'],
}

# Which verdicts these name: what is asked again, what an older version judged, and what nobody can know.
NAMED: dict[str, set[str]] = {
    "ledger/attention.py": {"PENDING"},
    "ledger/figures.py": {"AS_BEFORE", "NOT_DONE"},
    "ledger/intents.py": {"UNKNOWN"},
    "ledger/opt_outs.py": {"ACCEPTED"},
    "ledger/people.py": {"UNKNOWN"},
    "ledger/results.py": {"AS_BEFORE", "NOT_DONE", "PENDING"},
    "reporting/run_report.py": {"IN_PART", "NOT_DONE", "PENDING"},
    "results/finishing.py": {"NOT_DONE", "PENDING"},
    "results/judged_again.py": {"DONE"},
    "submission/archive_records.py": {"ACCEPTED", "AS_BEFORE"},
}
