"""The commands by which a person decides about a request. Each says what it changed, and what it could not change."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection

from adobe_privacy.command_arguments import inbox_place
from adobe_privacy.command_output import print_rows
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.people import NOT_STOPPED, erased_file, may_be_resent
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.plain_text import plain


def hold(options: argparse.Namespace, ledger: Ledger) -> bool:
    changed = _changed(options, ledger, ledger.people.hold(options.request_id, options.reason))
    for line in ledger.erasures.too_late(options.request_id):
        print(f"too late: {line}", file=sys.stderr)
    _say_erased(options, ledger, "too late: ")
    going_on = [job for job in _jobs(options, ledger) if job.state in NOT_STOPPED]
    _say(going_on, "Adobe is not stopped: its API cannot cancel, and it has, or may have, {} already")
    return changed


def release(options: argparse.Namespace, ledger: Ledger) -> bool:
    changed = _changed(
        options, ledger, ledger.people.release(options.request_id, options.reason, seen=options.seen)
    )
    _say_erased(options, ledger)
    return changed


def resend(options: argparse.Namespace, ledger: Ledger) -> bool:
    changed = _changed(
        options, ledger, ledger.people.resend(options.request_id, options.reason, seen=options.seen)
    )
    unknown = [job for job in _jobs(options, ledger) if job.state is JobState.GONE and not may_be_resent(job)]
    _say(
        unknown,
        "not sent again: {}, for Adobe may have it. Ask Adobe, then close it; hand it in under a new request id if "
        "Adobe has nothing",
    )
    _say_erased(options, ledger, "not sent again: ")
    return changed


def close(options: argparse.Namespace, ledger: Ledger) -> bool:
    """Of a request, or of a line or a file of the inbox that could not be used."""
    place = inbox_place(options.request_id)
    if place is not None and not _jobs(options, ledger):
        day, file, line = place
        closed = ledger.inbox.close(day, file, options.reason, line=line, seen=options.seen)
        return _told(options, closed, f"nothing is open about {options.request_id}: see attention")
    changed = _changed(
        options, ledger, ledger.people.close(options.request_id, options.reason, seen=options.seen)
    )
    sending = [job for job in _jobs(options, ledger) if job.state is JobState.SUBMITTING]
    _say(sending, "not closed: {}, which is being sent. Close it once it is known whether Adobe has it")
    return changed


def extend(options: argparse.Namespace, ledger: Ledger) -> bool:
    return _changed(
        options,
        ledger,
        ledger.people.extend(options.request_id, options.until, options.reason, seen=options.seen),
    )


def _jobs(options: argparse.Namespace, ledger: Ledger) -> list[Job]:
    return ledger.people.request_jobs(options.request_id)


def _say_erased(options: argparse.Namespace, ledger: Ledger, before: str = "") -> None:
    jobs = _jobs(options, ledger)
    if text := erased_file(jobs):
        print(f"{before}{options.request_id}: {text}", file=sys.stderr)


def _say(jobs: Collection[Job], text: str) -> None:
    if jobs:
        print(text.format(", ".join(sorted({job.action for job in jobs}))), file=sys.stderr)


def _changed(options: argparse.Namespace, ledger: Ledger, count: int) -> bool:
    name = options.request_id
    there = count or _jobs(options, ledger)
    return _told(
        options,
        count,
        f"nothing to change for {name}: see show {name}" if there else f"the ledger has no request {name}",
    )


def _told(options: argparse.Namespace, count: int, otherwise: str) -> bool:
    print_rows(options, [{"request_id": options.request_id, "jobs_changed": count}])
    if not count:
        print(plain(otherwise), file=sys.stderr)
    return bool(count)
