"""A day's inbox into the ledger: what is new, what is known, and what cannot be used."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from adobe_privacy.api.facts import DAILY_JOBS
from adobe_privacy.intake.catalogue import Context
from adobe_privacy.intake.files import InboxEntry, files_to_read
from adobe_privacy.intake.inbox import Line, as_shown, read_file
from adobe_privacy.intake.options import as_text
from adobe_privacy.intake.request import CONFLICT, Action, PrivacyRequest, check_request, user_key
from adobe_privacy.ledger.inbox import Problem
from adobe_privacy.ledger.intake import ReceivedJob, ReceivedRequest, Reception
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import ProblemKind
from adobe_privacy.planning.latency import Latencies, observed_latencies, risk
from adobe_privacy.planning.problems import FORGOTTEN, UNREADABLE_NAME, Problems, why_not_read
from adobe_privacy.regulations.clocks import DEFAULT, Clocks, DueDates, due_dates
from adobe_privacy.reporting.alarms import next_alarm
from adobe_privacy.storage import ObjectNotFound, StorageError, StorageUnavailable, Store

CHUNK = 1000
# Adobe can take 45 days; a request that is found later than that is overdue under any law.
LATE_DAYS = 45
# A run of such a day has looked at what lies in the inbox now. A schedule may leave out the days of a weekend.
RECENT = timedelta(days=7)
# So many rejected lines, warnings and files a plan names; the reports in the inbox name all lines.
MAX_NAMED = 50


@dataclass(frozen=True)
class PlanSettings:
    """How a day is planned.

    `daily_limit` is the organisation's jobs per UTC day. `share` is the part of it that this run may fill:
    below 1 for a backfill, so that the schedule keeps its room. `products` replaces what requests ask for.
    With `approve_deletes`, deletes get batches of their own, for a person to approve. With `strict_identities`,
    a request for a product that can use none of its identities is refused; else that is a warning. A request that
    names another `organisation` is refused. `contexts` are the connection's company contexts.
    What arrived late is looked for in the folders of `late_days` before; with `look_later`, unread files in folders of
    later days are counted. `inbox_retention_days` are told only: another DAG erases files of the inbox. The caller
    says with `tried_again` that an error which may pass leads to another try of the same.
    """

    daily_limit: int = DAILY_JOBS
    share: float = 1.0
    products: tuple[str, ...] = ()
    default_products: tuple[str, ...] = ()
    max_jobs: int | None = None
    approve_deletes: bool = False
    strict_identities: bool = False
    organisation: str | None = None
    contexts: Sequence[Context] | None = None
    clocks: Clocks = DEFAULT
    late_days: int = LATE_DAYS
    look_later: bool = False
    inbox_retention_days: int | None = None
    tried_again: bool = False


@dataclass
class Intake:
    """What one reading of a day's folder found, and of what arrived late in earlier ones. Holds request ids and
    reasons, no identity.

    `files` were read now, `late` ones among them lie in folders of earlier days; `unchanged` ones were read before.
    `growing` ones were still being written: the next run reads them. `later` counts unread files of later folders,
    `astray` files and folders beside the days' folders, which no run reads.
    `duplicates` are known requests that came again: `dated_earlier` ones with an earlier date of receipt, which counts
    from now on, `dated_later` ones with a later one, which does not.
    `opt_outs`, `at_risk` and `warnings` are of new requests only; `warnings` are the first of `warned`, with their
    request ids. `empty` files hold no request at all; `taken_for` says of the first files what they were read as;
    `not_read` are files of another kind. Files are named as they may be shown. `rejected_lines` are
    the first of the `rejected`.
    """

    day: date
    inbox: str = ""
    files: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    unchanged: int = 0
    growing: int = 0
    later: dict[date, int] = field(default_factory=dict)
    astray: int = 0
    empty: list[str] = field(default_factory=list)
    taken_for: dict[str, str] = field(default_factory=dict)
    not_read: list[str] = field(default_factory=list)
    new: int = 0
    duplicates: int = 0
    dated_earlier: int = 0
    dated_later: int = 0
    opt_outs: int = 0
    rejected: int = 0
    rejected_lines: list[Line] = field(default_factory=list)
    unreported: bool = False  # the inbox may only be read: its `rejected/` was not written
    at_risk: Counter[str] = field(default_factory=Counter)
    warned: int = 0
    warnings: list[str] = field(default_factory=list)


def take_in_day(
    store: Store, ledger: Ledger, *, day: date, run_id: str, settings: PlanSettings, report: bool = True
) -> Intake:
    """Writes the day's new requests and what of the folder could not be used into the ledger, and with `report` the
    unusable lines under `rejected/`, where the inbox may be written.
    A file that cannot be read is one of these, and the next call tries it again. Raises StorageError where the inbox
    cannot be read, or not one of its new files and nobody was told yet; and StorageUnavailable, when all else is taken
    in, where `tried_again` and a file may be read soon."""
    intake = Intake(day, store.location.uri)
    found = files_to_read(store, ledger, day, late_days=settings.late_days, look_later=settings.look_later)
    intake.unchanged, intake.growing, intake.later = found.unchanged, found.growing, found.later
    intake.astray = found.astray
    latencies = observed_latencies(ledger) if found.requests else Latencies()
    failed: list[tuple[InboxEntry, Problems, StorageError]] = []
    read = 0
    for entry in found.requests:
        intake.files.append(entry.shown)
        intake.late += [entry.shown] if entry.name.day != day else []
        problems = Problems(entry.shown)
        try:
            rejected = problems.noted(_take_in(store, ledger, entry, settings, latencies, intake, problems))
            with as_shown(entry.source, entry.shown):
                if report and entry.source.isprintable():
                    unreported = problems.report(store, entry.source, rejected)
                    intake.unreported = intake.unreported or unreported
                deque(rejected, maxlen=0)
        except ObjectNotFound:
            continue  # removed at this moment
        finally:
            intake.rejected += len(problems.lines) + problems.more
            intake.rejected_lines += problems.lines[: MAX_NAMED - len(intake.rejected_lines)]
        if problems.unreadable:
            failed.append((entry, problems, problems.unreadable))
            continue
        read += 1
        ledger.inbox.record(entry.name, problems.found(), size=entry.size, mark=entry.mark, run_id=run_id)
    passing = next((error for *_, error in failed if isinstance(error, StorageUnavailable)), None)
    if failed and not read and not all(_is_told(ledger, entry) for entry, *_ in failed):
        raise passing or failed[0][2]
    for entry, problems, _ in failed:
        # Without a mark, the file is new to the next run.
        ledger.inbox.record(
            entry.name, problems.found(), size=entry.size, mark="", run_id=run_id, to_its_end=False
        )
    for entry in found.not_read:
        intake.not_read.append(entry.shown)
        ledger.inbox.record(
            entry.name,
            [Problem(ProblemKind.FILE, why_not_read(entry.what))],
            size=entry.size,
            mark=entry.mark,
            run_id=run_id,
        )
    for lost in found.out_of_reach or ():
        ledger.inbox.record(
            lost.name, [Problem(ProblemKind.FILE, lost.why)], size=lost.size, mark=lost.mark, run_id=run_id
        )
    lying = None if found.out_of_reach is None else {lost.name.key for lost in found.out_of_reach}
    ledger.inbox.close_removed(found.present, lying)
    ledger.inbox.close_accepted()
    if settings.late_days and day >= ledger.now().date() - RECENT:
        ledger.inbox.note_look(store.location.public_uri)
    if settings.tried_again and passing:
        raise passing
    return intake


def _is_told(ledger: Ledger, entry: InboxEntry) -> bool:
    """Whether the file is in the list of what needs a person already: it stops no plan of a day without other files."""
    return entry.name.key in ledger.inbox.files_with_problems(entry.name.day)


def _take_in(
    store: Store,
    ledger: Ledger,
    entry: InboxEntry,
    settings: PlanSettings,
    latencies: Latencies,
    intake: Intake,
    problems: Problems,
) -> Iterator[Line]:
    """Writes a file's new requests into the ledger, a chunk at a time, and yields the lines it refuses."""
    source, day = entry.source, entry.name.day
    if not source.isprintable():
        yield Line(source, 1, reason=UNREADABLE_NAME, whole_file=True)
        return
    chunk: list[_Arrival] = []
    lines = 0
    reading = read_file(store, source)
    for line in problems.readable(entry, reading):
        lines += 1
        request = line.request
        if request is None:
            yield line
            continue
        verdict = check_request(
            request,
            _products(request, settings),
            strict=settings.strict_identities,
            organisation=settings.organisation,
            contexts=settings.contexts,
            places=line.places,
        )
        if verdict.problem:
            yield Line(
                source,
                line.number,
                reason=verdict.problem,
                request_id=request.request_id,
                actions=request.actions,
            )
            continue
        chunk.append(
            _arrival(line.number, request, verdict.warnings, ledger, entry.shown, day, settings, latencies)
        )
        if len(chunk) == CHUNK:
            yield from _record(ledger, chunk, intake)
            chunk = []
    yield from _record(ledger, chunk, intake)
    if not lines:
        intake.empty.append(entry.shown)
    if len(intake.taken_for) < MAX_NAMED:
        intake.taken_for[entry.shown] = reading.taken_for or "nothing that holds requests"


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A line on its way into the ledger."""

    number: int
    request: ReceivedRequest
    opt_out: bool
    at_risk: str | None
    says_when: bool  # it was received; else its folder does
    warnings: tuple[str, ...] = ()


def _products(request: PrivacyRequest, settings: PlanSettings) -> tuple[str, ...]:
    return settings.products or request.products or settings.default_products


def _arrival(
    number: int,
    request: PrivacyRequest,
    warnings: tuple[str, ...],
    ledger: Ledger,
    source: str,
    day: date,
    settings: PlanSettings,
    latencies: Latencies,
) -> _Arrival:
    """The request as the ledger knows it: with its clock, without its identities."""
    due = {
        action: due_dates(request.regulation, request.received_at, actions=(action,), clocks=settings.clocks)
        for action in request.actions
    }
    # A law may give no such right, or not yet: that is for a person to know.
    remarks = dict.fromkeys(remark for each in due.values() for remark in each.remarks)
    warnings = (*warnings, *remarks)
    products = _products(request, settings)
    at_adobe = [action for action in request.actions if action is not Action.OPT_OUT_OF_SALE]
    today = ledger.now().date()
    risks = (risk(due[action], latencies.days(action, products), today) for action in at_adobe)
    at_risk = next(filter(None, risks), None)
    return _Arrival(
        number,
        ReceivedRequest(
            request_id=request.request_id,
            regulation=request.regulation,
            fingerprint=ledger.intake.fingerprint(request.content()),
            source=source,
            inbox_date=day,
            products=",".join(request.products),
            received_at=request.received,
            jobs=tuple(_jobs(request, due, products, latencies)),
            options=as_text(request.said()),
            warnings="\n".join(warnings),
            prints=frozenset(
                ledger.intake.person_print(identity.namespace, identity.value)
                for identity in request.identities
            ),
        ),
        opt_out=Action.OPT_OUT_OF_SALE in request.actions,
        at_risk=f"{request.regulation}: {at_risk}" if at_risk else None,
        says_when=request.received_at != day,
        warnings=warnings,
    )


def _jobs(
    request: PrivacyRequest, due: Mapping[Action, DueDates], products: Sequence[str], latencies: Latencies
) -> Iterator[ReceivedJob]:
    parts = len(request.parts())
    for action in request.actions:
        opt_out = action is Action.OPT_OUT_OF_SALE
        due_on = due[action].answer_by
        for part in range(1, 2 if opt_out else parts + 1):
            yield ReceivedJob(
                action=action.value,
                part=part,
                key=user_key(request.request_id, part),
                due_on=due_on,
                # Adobe answers an opt-out at once.
                submit_by=None if opt_out else latencies.submit_by(due_on, action, products),
                alarm_at=next_alarm(request.received, due_on),
            )


def _record(ledger: Ledger, chunk: list[_Arrival], intake: Intake) -> Iterator[Line]:
    answers = ledger.intake.receive([arrival.request for arrival in chunk])
    for arrival, answer in zip(chunk, answers, strict=True):
        if answer is Reception.NEW:
            intake.new += 1
            intake.opt_outs += arrival.opt_out
            if arrival.at_risk:
                intake.at_risk[arrival.at_risk] += 1
            intake.warned += len(arrival.warnings)
            room = MAX_NAMED - len(intake.warnings)
            intake.warnings += [f"{arrival.request.request_id}: {text}" for text in arrival.warnings[:room]]
        elif answer in (Reception.CONFLICT, Reception.FORGOTTEN):
            yield Line(
                arrival.request.source,
                arrival.number,
                reason=CONFLICT if answer is Reception.CONFLICT else FORGOTTEN,
                request_id=arrival.request.request_id,
            )
        else:
            intake.duplicates += 1
            intake.dated_earlier += answer is Reception.EARLIER
            intake.dated_later += answer is Reception.LATER and arrival.says_when
