"""Old rows are judged again by their manifests, each once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import JUDGE_AGAIN_AFTER, FinishedJob
from adobe_privacy.ledger.schema import Setting
from adobe_privacy.results.judged_again import judge_again
from adobe_privacy.storage import AccessDenied, Store, open_store
from tests.support.ledgers import DAY, received


@pytest.fixture
def archive(tmp_path: Path) -> Store:
    (tmp_path / "archive").mkdir()
    return open_store(f"file://{tmp_path}/archive")


def manifest(*codes: str, requested: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    """As the version before the verdicts wrote it."""
    names = ("Analytics", "Target")
    products = [
        {"name": name, "status": "complete", "code": code} for name, code in zip(names, codes, strict=False)
    ]
    completeness = {"verdict": "partial", "products_requested": list(requested), "products_missing": []}
    return {"job_id": "a", "status": "complete", "products": products, "completeness": completeness} | fields


CASES: dict[str, tuple[dict[str, Any] | str | None, Verdict]] = {
    "6053": (manifest("6000-200", "6053-200"), Verdict.IN_PART),
    "nothing to do": (manifest("6000-200", "6051-200"), Verdict.DONE),
    "nobody": (manifest("6053-200", "6053-200"), Verdict.NOT_DONE),
    "no answer": (manifest("6000-200", requested=("analytics", "cjm")), Verdict.IN_PART),
    "an alias": (manifest("6000-200", requested=("Adobe Analytics",)), Verdict.DONE),
    "left out": (
        manifest("6000-200", completeness={"verdict": "partial", "products_requested": [], "ignored": 2}),
        Verdict.AS_BEFORE,
    ),
    "no products": (manifest(), Verdict.AS_BEFORE),
    "no manifest": (None, Verdict.AS_BEFORE),
    "no JSON": ("{", Verdict.AS_BEFORE),
    "another form": ("[]", Verdict.AS_BEFORE),
}


def old_rows(ledger: Ledger, archive: Store) -> dict[str, int]:
    ledger.intake.receive([received(number, "delete") for number in range(len(CASES))])
    batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=100)
    assert batch is not None
    ids = [job.id for job in ledger.claims.batch_jobs(batch.id)]
    jobs = ledger.intents.intend(batch.id, ids, daily_limit=100)
    ledger.intents.record_submitted(
        [(job, f"adobe-{job.id}") for job in jobs], adobe_request_id=None, reason=""
    )
    found = {}
    for job, (name, (content, _)) in zip(ledger.claims.batch_jobs(batch.id), CASES.items(), strict=True):
        ledger.results.record_complete([FinishedJob(job, None, "as judged before", None)])
        ledger.results.record_archived({job.id: f"{job.id}/manifest.json"})
        if content is not None:
            text = content if isinstance(content, str) else json.dumps(content)
            archive.write(f"{job.id}/manifest.json", text.encode())
        found[name] = job.id
    # As the migration leaves a ledger that has such rows.
    with ledger.unit.write() as session:
        session.execute(insert(Setting).values(name=JUDGE_AGAIN_AFTER, value="0"))
    return found


def test_what_a_manifest_says_is_judged_and_the_rest_stays(ledger: Ledger, archive: Store) -> None:
    rows = old_rows(ledger, archive)
    judged = [judge_again(ledger, archive, limit=4).judged for _ in range(4)]
    assert (sum(judged), judged[-1]) == (5, 0)
    outcomes = {name: ledger.overview.job(job_id) for name, job_id in rows.items()}
    assert {name: job and job.outcome for name, job in outcomes.items()} == {
        name: verdict.value for name, (_, verdict) in CASES.items()
    }
    answers = ledger.results.answers([rows["6053"]])[rows["6053"]]
    assert [(each.product, each.verdict) for each in answers] == [
        ("analytics", "done"),
        ("target", "wrong namespace"),
    ]
    assert ledger.attention.counts()["not_done"] == 3
    assert ledger.results.judged_before(10) == []


def test_a_new_ledger_has_none(ledger: Ledger, archive: Store) -> None:
    assert judge_again(ledger, archive).judged == 0


@pytest.mark.parametrize("limit", [4, 100])
def test_a_manifest_that_cannot_be_read_costs_itself_only_and_is_asked_again(
    ledger: Ledger, archive: Store, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    rows = old_rows(ledger, archive)
    read = Store.read

    def closed(self: Store, key: str) -> bytes:
        if key in (f"{rows['6053']}/manifest.json", f"{rows['nobody']}/manifest.json"):
            raise AccessDenied(f"{key}: the store refused", uri=key)
        return read(self, key)

    monkeypatch.setattr(Store, "read", closed)
    looks = [judge_again(ledger, archive, limit=limit) for _ in range(6)]
    assert sum(each.judged for each in looks) == 3
    # In each round over all of them.
    told = [failure for each in looks for failure in each.failures]
    assert len(told) >= 4
    assert all("the store refused" in failure for failure in told)

    monkeypatch.undo()
    assert sum(judge_again(ledger, archive, limit=limit).judged for _ in range(6)) == 2
    assert {
        name: job and job.outcome for name, job in ((n, ledger.overview.job(i)) for n, i in rows.items())
    } == {name: verdict.value for name, (_, verdict) in CASES.items()}
    assert ledger.results.judged_before(10) == []


def test_a_manifest_of_whatever_content_ends_nothing(ledger: Ledger, archive: Store) -> None:
    rows = old_rows(ledger, archive)
    odd = manifest("6000-200")
    odd["completeness"]["products_requested"] = [5]
    archive.write(f"{rows['6053']}/manifest.json", json.dumps(odd).encode())
    archive.write(f"{rows['nobody']}/manifest.json", b"[" * 100_000)
    again = judge_again(ledger, archive)
    assert (again.judged, again.failures) == (3, [])
    assert ledger.results.judged_before(10) == []
