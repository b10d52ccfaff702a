"""What the page and its API show, put together; both show the same."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowException
from fastapi import HTTPException, status

from adobe_privacy.ledger.attention import LASTING, Kind, Level
from adobe_privacy.ledger.protection import SETTINGS
from adobe_privacy.ledger.schema import DailyFigures
from adobe_privacy.plain_text import plain_logger
from adobe_privacy.reporting.attention import first_items
from adobe_privacy.reporting.reports import evidence, figures_report, manifest_content
from adobe_privacy.settings import SettingsError
from adobe_privacy.storage import ObjectNotFound, StorageError
from adobe_privacy.web.access import dag_of
from adobe_privacy.web.filters import Period, Query
from adobe_privacy.web.source import Source
from adobe_privacy.web.words import job_words, moment_words, request_words

log = plain_logger(__name__)

DAYS = 60
ARCHIVE_TIMEOUT = 8.0


def today() -> date:
    return datetime.now(UTC).date()


def read_overview(source: Source) -> dict[str, Any]:
    """Jobs by state, what needs attention, the day's quota, protective settings in force, the last days' figures."""
    overview = source.overview()
    with source.ledger().unit.read_together():
        sizes = overview.sizes([kind for kind in LASTING if not kind.problems])
        lines = source.ledger().attention.counts([kind for kind in LASTING if kind.problems])
        return {
            "states": {state.value: count for state, count in overview.counts().items()},
            "attention": lines | {name: size.jobs for name, size in sizes.items()},
            "attention_requests": {name: size.requests for name, size in sizes.items()},
            "quota": _quota(source),
            "in_force": _in_force(source),
            "sealed": _sealed(source),
            "days": [_day(figures) for figures in overview.daily_figures(DAYS)],
        }


def _quota(source: Source) -> dict[str, Any]:
    quota = source.ledger().quotas.today()
    told: dict[str, Any] = {
        "day": quota.day.isoformat(),
        "used": quota.used,
        "planned": quota.planned,
        "refused": quota.refused,
        "limit": None,
        "problem": None,
    }
    try:
        told["limit"] = source.settings().daily_job_limit
    except SettingsError as problem:
        told["problem"] = str(problem)
    return told


def _in_force(source: Source) -> list[dict[str, Any]]:
    """The protective settings that a run found last, or a person accepted. An empty value is off."""
    kept = source.ledger().protection.in_force()
    return [
        {
            "setting": what,
            "value": kept[name].value,
            "since": moment_words(kept[name].since),
            "by": kept[name].by,
        }
        for name, (what, _) in SETTINGS.items()
        if name in kept
    ]


def _sealed(source: Source) -> dict[str, Any] | None:
    """The head of the chain over the history."""
    head = source.ledger().chain.head()
    if head is None:
        return None
    written = head.written_at is not None
    return {
        "number": head.number,
        "at": moment_words(head.sealed_at),
        "hash": head.hash,
        "in_archive": written,
    }


def _day(figures: DailyFigures) -> dict[str, Any]:
    mean = figures.seconds / figures.archived / 86_400 if figures.archived else None
    return {
        "day": figures.day.isoformat(),
        "arrived": figures.arrived,
        "archived": figures.archived,
        "mean_days": None if mean is None else round(mean, 2),
        "longest_days": round(figures.longest / 86_400, 2) if figures.archived else None,
    }


def read_page(source: Source, query: Query, limit: int) -> dict[str, Any]:
    """One page of jobs. `next` is the query of the following page, None on the last one. By `seen` a decision says what
    was shown."""
    seen = source.ledger().seen.of_requests()
    page = source.overview().page(query.filters, after=query.after, limit=limit)
    day = today()
    return {
        "jobs": [job_words(job, day) for job in page.jobs],
        "next": query.link_to(page.next) if page.next else None,
        "seen": seen,
    }


def read_needs(
    source: Source, kind: Kind | None, limit: int, counts: Mapping[str, int] | None = None
) -> list[dict[str, Any]]:
    """What there is of one kind of attention; without one, all that needs a person. Where `counts` says that there is
    nothing of a kind, it is not asked for. By `seen` a decision says what was shown."""
    kinds = [each for each in LASTING if each.level is Level.PERSON] if kind is None else [kind]
    some = [each for each in kinds if counts is None or counts[each.name]]
    ledger = source.ledger()
    requests, inbox = ledger.seen.of_requests(), ledger.seen.of_inbox()
    items = first_items(ledger, some, limit)
    return [
        item.as_row() | {"since": moment_words(item.since), "seen": inbox if item.file else requests}
        for item in items
    ]


def read_request(source: Source, request_id: str) -> dict[str, Any]:
    seen = source.ledger().seen.of_requests()
    jobs, changes, batches = source.overview().request(request_id)
    if not jobs:
        raise _not_taken_in(source, request_id) or _no_request(request_id)
    answers = source.ledger().results.answers([job.id for job in jobs])
    people = source.ledger().people
    undone, stopped = people.undone(request_id), people.stopped(request_id)
    return request_words(jobs, changes, batches, answers, undone, stopped, today()) | {"seen": seen}


def _not_taken_in(source: Source, request_id: str) -> HTTPException | None:
    kept = source.ledger().handing_in.of_request(request_id)
    if kept is None:
        return None
    who = kept.actor.removeprefix("user").lstrip("/ ")
    return HTTPException(
        status.HTTP_404_NOT_FOUND,
        f"{who} handed in {request_id} on {kept.at:%Y-%m-%d %H:%M} UTC. It waits in the inbox, in {kept.source}: the "
        f"next run of {dag_of(source.organisation)} takes it in.",
    )


def _no_request(request_id: str) -> HTTPException:
    return HTTPException(status.HTTP_404_NOT_FOUND, f"The ledger has no request {request_id}.")


def read_report(source: Source, period: Period) -> dict[str, Any]:
    """The figures of a period, as the command `report` has them."""
    return figures_report(source.ledger(), period.first, period.last, regulation=period.regulation)


def read_evidence(source: Source, request_id: str) -> dict[str, Any]:
    """A request's evidence, as the command `evidence` has it; a manifest that cannot be read says why."""
    pack = evidence(source.ledger(), request_id)
    if pack is None:
        raise _no_request(request_id)
    keys = {job["manifest"]: job["manifest_sha256"] for job in pack["jobs"] if job["manifest"]}
    found = zip(keys, read_manifests(source, keys), strict=True)
    return pack | {"manifests": {key: {"problem": it} if isinstance(it, str) else it for key, it in found}}


def read_manifest(source: Source, job_id: int) -> dict[str, Any]:
    """A job's manifest, or the receipt of an opt-out."""
    job = source.overview().job(job_id)
    if job is None or job.manifest is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "This job has no manifest: it is not archived.")
    (found,) = read_manifests(source, {job.manifest: job.manifest_sha256})
    if isinstance(found, str):
        raise HTTPException(status.HTTP_503_SERVICE_UNAVAILABLE, found)
    return found


def read_manifests(source: Source, keys: Mapping[str, str | None]) -> list[dict[str, Any] | str]:
    """Each manifest, by its key and the hash that the ledger noted, or why it cannot be read. Gives up after some
    seconds: what waits is a person."""

    async def read() -> list[dict[str, Any] | str]:
        store = source.archive()

        async def one(key: str) -> dict[str, Any] | str:
            try:
                data = await asyncio.wait_for(store.read_async(key), ARCHIVE_TIMEOUT)
                return manifest_content(data, keys[key])
            except ObjectNotFound:
                return f"The archive has no {key}."
            except StorageError as error:
                return f"The archive cannot be read: {error}"
            except TimeoutError:
                return "The archive does not answer."

        return list(await asyncio.gather(*map(one, keys)))

    try:
        return asyncio.run(read()) if keys else []
    except (SettingsError, StorageError) as error:
        return [f"The archive cannot be read: {error}"] * len(keys)
    except AirflowException as error:
        log.warning("the archive cannot be opened: %s", type(error).__name__)
        return ["The archive cannot be opened: see the connection that privacy_archive_uri names."] * len(
            keys
        )
