"""The steps of a day of privacy requests: plan, create, (wait,) archive, settle."""

from __future__ import annotations

import asyncio
import inspect
import re
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from adobe_privacy.airflow_organisations import organisation_of
from adobe_privacy.api.facts import LIST_LOOK_BACK
from adobe_privacy.failures import plain_failures, tried_enough
from adobe_privacy.links import AdobePrivacyLink, PrivacyArchiveLink, PrivacyPageLink
from adobe_privacy.organisations import DEFAULT
from adobe_privacy.plain_text import plain_logger
from adobe_privacy.run_notes import push_figures

# Everything else of ours is imported where it is used: the scheduler's parts and every task read this file,
# and what they don't need would cost each of them half a second.
if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseOperatorLink, Context

    from adobe_privacy.api.client import PrivacyServiceClient
    from adobe_privacy.ledger.ledger import Ledger
    from adobe_privacy.ledger.schema import Batch
    from adobe_privacy.results.completion import Completion
    from adobe_privacy.settings import Settings
    from adobe_privacy.storage import Store
    from adobe_privacy.submission.submission import Submission

log = plain_logger(__name__)

# In the events of `privacy_archive`, instead of a regulation code.
ALL_REGULATIONS = "*"
# What has not ended while Adobe lists it will not be seen to end.
DEFAULT_TIMEOUT = LIST_LOOK_BACK + timedelta(days=1)
# Of one try on a worker. Whatever hangs, although every call has its limit, ends then, and the next try takes up what
# is missing.
LONGEST_TRY = timedelta(hours=12)
# Of one batch's task instances, for those who look at the grid. Rendered before the task runs, and so while it
# waits, too.
BATCH_LABEL = (
    "{{ (ti.xcom_pull(task_ids='plan', key='batch_labels') or {}).get(task.batch_id, task.batch_id) }}"
)


@cache
def doc_of(operator: type) -> str:
    """What a task shows as its documentation: its class's, without the parameters."""
    return (inspect.getdoc(operator) or "").split(":param", 1)[0].strip()


def privacy_archive(organisation: str) -> Asset:
    """What other DAGs can be scheduled on: something of this organisation was archived. Its events carry counts."""
    return Asset(organisation_of(organisation).own("privacy_archive"))


def report_archived(context: Context, organisation: str, **counts: Any) -> None:
    """Puts counts, never more, onto the event of the asset `privacy_archive` that the task's success makes."""
    context["outlet_events"][privacy_archive(organisation)].extra.update(counts)


def actor_of(context: Context) -> str:
    """Who writes to the ledger: dag/run/task."""
    task_instance = context["ti"]
    index = task_instance.map_index
    mapped = "" if index is None or index < 0 else f"[{index}]"
    return f"{task_instance.dag_id}/{task_instance.run_id}/{task_instance.task_id}{mapped}"


def run_of(context: Context) -> str:
    """The DAG run as the ledger names it; unique among all DAGs."""
    return f"{context['ti'].dag_id}/{context['ti'].run_id}"


def still_asks(context: Context, actor: str) -> bool:
    """Whether the task instance that `actor_of` named is not over, by what Airflow says. Where Airflow does not say,
    it is taken not to be."""
    from airflow.sdk.exceptions import AirflowRuntimeError

    named = _ACTOR.fullmatch(actor)
    if named is None:
        return True
    index = named["index"]
    try:
        states = context["ti"].get_task_states(
            dag_id=named["dag_id"],
            task_ids=[named["task_id"]],
            run_ids=[named["run_id"]],
            map_index=None if index is None else int(index),
        )
    except AirflowRuntimeError:
        return True
    # Of a run that was deleted there is none.
    return any(state not in _OVER for of_run in states.values() for state in of_run.values())


_ACTOR = re.compile(r"(?P<dag_id>[^/]+)/(?P<run_id>.+)/(?P<task_id>[^/\[]+)(\[(?P<index>\d+)\])?")
_OVER = ("success", "failed", "skipped", "upstream_failed", "removed")


def is_backfill(context: Context) -> bool:
    return bool(context["dag_run"].run_type == "backfill")


def is_tried_again(context: Context) -> bool:
    """Whether a task is to be tried again for a file that cannot be read. The day's other requests wait meanwhile, so
    not for long."""
    task_instance = context["ti"]
    return task_instance.try_number <= task_instance.max_tries and not tried_enough(task_instance)


def inbox_day(context: Context) -> date:
    """The inbox folder of a run: its param `inbox_day`; else the day on which its data interval begins, or yesterday
    for a run without one."""
    if given := context["params"].get("inbox_day"):
        try:
            return date.fromisoformat(str(given))
        except ValueError:
            raise AirflowFailException(f"inbox_day is no day such as 2026-11-25: {given!r}") from None
    start = context.get("data_interval_start")
    if start is not None:
        return start.date()
    run_after = context["dag_run"].run_after
    return (run_after - timedelta(days=1)).date()


def is_dry_run(context: Context) -> bool:
    """The DAG's param `dry_run`. The text "false", such as a template gives, is no dry run."""
    given = context["params"].get("dry_run")
    if isinstance(given, str) and given.strip().lower() in ("true", "false", ""):
        return given.strip().lower() == "true"
    if not isinstance(given, bool | None):
        raise AirflowFailException("the param dry_run must be true or false")
    return bool(given)


def argument_or_param(context: Context, name: str, given: Any) -> Any:
    """An operator's argument; where it was not given, or its template gave None, the DAG's param. Raises where its
    template came to nothing: what was meant is less than everything."""
    if given is None or (isinstance(given, str) and given.strip() == "None"):
        return context["params"].get(name)
    if isinstance(given, str | list | tuple) and not "".join(map(str, given)).strip(", "):
        raise AirflowFailException(f"the argument {name} is empty: give a value, or leave the argument out")
    return given


def names_of(context: Context, name: str, given: Sequence[str] | str | None) -> tuple[str, ...]:
    """A list, or text separated by commas."""
    value = argument_or_param(context, name, given) or ()
    names = value.split(",") if isinstance(value, str) else value
    return tuple(str(item).strip() for item in names if str(item).strip())


def _max_jobs(value: Any) -> int | None:
    if value is None:
        return None
    # Of True and 2.5, too, Python makes a whole number.
    whole = re.fullmatch("[0-9]{1,9}", str(value).strip())
    number = int(whole.group()) if whole else 0
    if number < 1:
        raise AirflowFailException("max_jobs is not a whole number of 1 or more")
    return number


class PrivacyOperator(BaseOperator):
    """What the steps share: which connections and places they use, and `summary`, which the UI shows among a task
    instance's rendered fields: what the task did, in counts and request ids. One try ends after twelve hours, where no
    `execution_timeout` is given.

    :param organisation: one of those in Airflow's configuration; its connections, locations and variables are used
        where nothing else is given.
    :param inbox_uri: where requests arrive; the variable `privacy_inbox_uri` where not given.
    :param archive_uri: where results go; the variable `privacy_archive_uri` where not given.
    """

    template_fields: Sequence[str] = (
        "adobe_privacy_conn_id",
        "ledger_conn_id",
        "inbox_uri",
        "archive_uri",
        "summary",
    )
    # The summary is made while the task runs.
    overwrite_rtif_after_execution = True
    operator_extra_links: Collection[BaseOperatorLink] = (PrivacyPageLink(),)
    ui_color = "#e8f1fa"
    needs_archive = True

    def __init__(
        self,
        *,
        organisation: str = DEFAULT,
        adobe_privacy_conn_id: str | None = None,
        ledger_conn_id: str | None = None,
        inbox_uri: str | None = None,
        archive_uri: str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("doc_md", doc_of(type(self)))
        kwargs.setdefault("execution_timeout", LONGEST_TRY)
        super().__init__(**kwargs)
        own = organisation_of(organisation)
        self.organisation = organisation
        # What is empty is refused when the task runs: another place than the usual one was meant.
        self.adobe_privacy_conn_id = (
            own.connection if adobe_privacy_conn_id is None else adobe_privacy_conn_id
        )
        self.ledger_conn_id = own.ledger if ledger_conn_id is None else ledger_conn_id
        self.inbox_uri = own.inbox_uri if inbox_uri is None else inbox_uri
        self.archive_uri = own.archive_uri if archive_uri is None else archive_uri
        self.summary = ""

    @cached_property
    def settings(self) -> Settings:
        """Looked up once, when the task runs. Raises SettingsError."""
        from adobe_privacy.hooks.settings import read_settings
        from adobe_privacy.observing import start

        start()
        return read_settings(
            self.adobe_privacy_conn_id,
            self.ledger_conn_id,
            organisation=self.organisation,
            inbox_uri=self.inbox_uri,
            archive_uri=self.archive_uri,
        )

    def client(self) -> PrivacyServiceClient:
        from adobe_privacy.api.client import PrivacyServiceClient

        return PrivacyServiceClient(self.settings.service.client)

    def inbox(self) -> Store:
        from adobe_privacy.hooks.storage import open_inbox

        return open_inbox(self.settings.location("inbox"))

    def archive(self) -> Store:
        from adobe_privacy.hooks.storage import open_archive

        return open_archive(self.settings.location("archive"))

    def own_archive(self, ledger: Ledger) -> Store:
        """The archive for writing: from now on it belongs to this ledger. Raises LedgerError where it is another's."""
        from adobe_privacy.ownership import claim

        archive = self.archive()
        claim(ledger, archive)
        return archive

    def ledger(self, context: Context) -> Ledger:
        return self.ledger_of(actor_of(context))

    def ledger_of(self, actor: str) -> Ledger:
        from adobe_privacy.hooks.ledger import open_for_run

        return open_for_run(self.settings, actor, needs_archive=self.needs_archive)

    def tell_figures(self, ledger: Ledger) -> None:
        """Measures how things stand in the ledger, and how many connections to it this task holds."""
        from adobe_privacy.observing import tell_ledger

        ledger.tell_connections("task")
        tell_ledger(ledger, organisation=self.organisation, daily_limit=self.settings.service.daily_job_limit)

    def get_openlineage_facets_on_complete(self, _task_instance: Any) -> OperatorLineage:
        """Called by the OpenLineage provider, where it is installed."""
        from adobe_privacy.lineage import lineage

        return lineage(reads=self._read, writes=self._written)

    @property
    def _read(self) -> str | None:
        """The folder that the task reads requests from."""
        return None

    @property
    def _written(self) -> str | None:
        """The place that the task writes results to."""
        return None

    def wait_until(self, moment: datetime) -> NoReturn:
        """Adobe asked for a pause: leaves the worker and starts anew when it is over."""
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="after_pause")

    @contextmanager
    def heeding_pauses(self, ledger: Ledger) -> Iterator[None]:
        """Nothing is asked of Adobe while it wants a pause, whoever of the organisation was told so. Where it asks for
        one in here, the ledger keeps that, and the task starts anew afterwards."""
        from adobe_privacy.api.errors import RateLimited

        if (until := ledger.limits.not_before()) is not None:
            self.wait_until(until)
        try:
            yield
        except RateLimited as error:
            log.warning("%s", error)
            self.wait_until(ledger.limits.pause(error.retry_after))

    def after_pause(self, context: Context, event: Any = None) -> Any:
        return self.execute(context)

    def fail_for_a_person(self, problems: int, named: Sequence[str]) -> None:
        """Where anything needs a person; `named` tells of the first of it."""
        for problem in named:
            log.error("%s", problem)
        if problems:
            more = problems - 10
            raise AirflowFailException(
                f"{problems} need a person: {'; '.join(named[:10])}"
                + (f"; and {more} more, see the log" if more > 0 else "")
            )

    def tell(self, context: Context, figures: str) -> None:
        """One line of counts: for the log, the summary and the run's note."""
        log.info("%s", figures)
        self.summary = figures
        push_figures(context, figures)


class PlanPrivacyRequestsOperator(PrivacyOperator):
    """Takes the day's inbox folder into the ledger and claims batches; returns their ids, nothing else.

    Reads the DAG's param `dry_run`: a dry run prints the plan, returns no batch and changes nothing.

    :param products: Adobe product codes, asked instead of what each request names; the DAG's param `products` where
        not given.
    :param max_jobs: no more jobs than this are planned; the DAG's param `max_jobs` where not given.
    """

    template_fields = (*PrivacyOperator.template_fields, "products", "max_jobs")

    def __init__(
        self,
        *,
        products: Sequence[str] | str | None = None,
        max_jobs: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.products = products
        self.max_jobs = max_jobs

    def execute(self, context: Context) -> list[str]:
        from adobe_privacy.planning.planning import LATE_DAYS, PlanSettings, plan_day
        from adobe_privacy.reporting.run_report import batch_label, plan_lines

        dry_run = is_dry_run(context)
        self._day = inbox_day(context)
        with plain_failures(self.log):
            settings, service = self.settings.variables, self.settings.service
            # What has no place for its results is not sent.
            self.settings.location("archive")
            backfill = is_backfill(context)
            manual = context["dag_run"].run_type == "manual" and not context["params"].get("inbox_day")
            with self.ledger(context) as ledger:
                plan = plan_day(
                    self.inbox(),
                    ledger,
                    day=self._day,
                    run_id=run_of(context),
                    settings=PlanSettings(
                        daily_limit=service.daily_job_limit,
                        share=1 - service.schedule_share if backfill else 1.0,
                        products=_products(names_of(context, "products", self.products)),
                        default_products=service.products,
                        max_jobs=_max_jobs(argument_or_param(context, "max_jobs", self.max_jobs)),
                        clocks=settings.legal_clocks,
                        approve_deletes=settings.approve_deletes,
                        strict_identities=service.strict_identities,
                        organisation=service.client.org_id,
                        contexts=service.company_contexts,
                        # A backfill has a run for each of its days.
                        late_days=0 if backfill else LATE_DAYS,
                        look_later=manual,
                        inbox_retention_days=settings.inbox_retention_days,
                        tried_again=is_tried_again(context),
                    ),
                    dry_run=dry_run,
                    still_asks=partial(still_asks, context),
                )
        lines = plan_lines(plan)
        for line in lines:
            log.info("%s", line)
        self.summary = "\n".join(lines)
        if dry_run:
            log.info("Dry run: this was the plan; nothing was kept or sent")
            push_figures(context, "\n".join(("Dry run, nothing was kept or sent.", *lines)))
            return []
        labels = {planned.batch.id: batch_label(planned) for planned in plan.batches}
        context["ti"].xcom_push(key="batch_labels", value=labels)
        return [planned.batch.id for planned in plan.batches]

    @property
    def _read(self) -> str:
        return f"{self.settings.location('inbox').rstrip('/')}/{self._day}"


def _products(names: Sequence[str]) -> tuple[str, ...]:
    """The param `products` as include codes. It decides what is deleted, so nothing of it is guessed."""
    from adobe_privacy.api.names import include_codes
    from adobe_privacy.intake.catalogue import unknown_product

    for number, name in enumerate(names):
        if fault := unknown_product(str(name)):
            raise AirflowFailException(f"param products: number {number}: {fault}")
    return include_codes(map(str, names))


class CreatePrivacyJobsOperator(PrivacyOperator):
    """Creates one batch's jobs at Adobe, each exactly once; may be retried after any failure.

    Deletes that a person must approve and did not are left to the next plan. Requests whose file cannot be read are
    tried again by the next run, and `settle` names them. Where Adobe asks for a pause, the
    task waits in the triggerer until it is over, and then sends the rest.

    :param batch_id: a batch of the ledger.
    """

    template_fields = (*PrivacyOperator.template_fields, "batch_id")
    operator_extra_links = (PrivacyPageLink(), AdobePrivacyLink())

    def __init__(self, *, batch_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id

    def execute(self, context: Context) -> dict[str, int]:
        from adobe_privacy.observing import span

        submitting = span("submit", batch_id=self.batch_id)
        with plain_failures(self.log), self.ledger(context) as ledger, submitting:
            result = asyncio.run(self._submit(ledger, ledger.claims.batch(self.batch_id)))
        for note in result.notes:
            log.warning("%s", note)
        counts = {
            "submitted": result.submitted,
            "recognised": result.recognised,
            "refused": result.refused,
            "carried_over": result.carried_over,
            "unknown": result.unknown,
            "unreadable": result.unreadable,
        }
        self.summary = "\n".join(
            (", ".join(f"{count} {name}" for name, count in counts.items()), *result.notes)
        )
        log.info("Batch %s: %s", self.batch_id, self.summary)
        if result.not_before is not None:
            self.wait_until(result.not_before)
        return counts

    async def _submit(self, ledger: Ledger, batch: Batch) -> Submission:
        from adobe_privacy.submission.submission import SubmissionSettings, submit_batch

        settings = self.settings.service
        async with self.client() as client:
            return await submit_batch(
                batch=batch,
                inbox=self.inbox(),
                archive=self.own_archive(ledger),
                ledger=ledger,
                client=client,
                settings=SubmissionSettings(
                    daily_limit=settings.daily_job_limit,
                    timeout=settings.client.timeout,
                    list_lag=settings.list_lag,
                    approve_deletes=self.settings.variables.approve_deletes,
                    company_contexts=settings.company_contexts,
                    options=settings.options,
                ),
            )


class ArchivePrivacyResultsOperator(PrivacyOperator):
    """Archives one batch's finished jobs: results verified on their way, manifests last.

    Should some not be finished after all, it waits for them in the triggerer and goes on; in a backfill it
    leaves them to privacy_sweep. A job that ends in error stops no other; a job that cannot be archived fails
    the task once all others are, and a retry takes up only what is missing. Where nothing is left but results that are
    damaged, the fourth try is the last. How far it is stands in its log and
    its task state store; its success is an event of the asset `privacy_archive`, which carries the counts of
    the try that succeeded.

    :param batch_id: a batch of the ledger.
    """

    template_fields = (*PrivacyOperator.template_fields, "batch_id")
    operator_extra_links = (PrivacyArchiveLink(), PrivacyPageLink(), AdobePrivacyLink())

    def __init__(self, *, batch_id: str, organisation: str = DEFAULT, **kwargs: Any) -> None:
        kwargs.setdefault("outlets", [privacy_archive(organisation)])
        super().__init__(organisation=organisation, **kwargs)
        self.batch_id = batch_id

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, int]:
        from adobe_privacy.observing import span
        from adobe_privacy.triggers.privacy_jobs import PrivacyJobsTrigger, finished_jobs

        if event is not None:
            finished_jobs(event)
        backfill = is_backfill(context)
        with plain_failures(self.log), self.ledger(context) as ledger:
            batch = ledger.claims.batch(self.batch_id)
            with self.heeding_pauses(ledger), span("archive", batch_id=self.batch_id):
                result = asyncio.run(self._complete(context, ledger, batch))
        for error in result.errors:
            log.warning("Ended in error: %s", error)
        for text in result.missed:
            log.warning("Not done in whole: %s", text)
        for failure in result.failures:
            log.error("Not archived: %s", failure)
        self.summary = (
            f"{result.archived} archived ({result.partial} not in whole, {result.bytes} bytes), "
            f"{len(result.errors)} in error, {result.open} not final yet, {len(result.failures)} failed"
        )
        log.info("Batch %s: %s", self.batch_id, self.summary)
        if result.failures:
            # To fetch it again and again brings a damaged result no better. The next sweep tries it again.
            waits = len(result.failures) > result.damaged or (result.open and not backfill)
            enough = not waits and tried_enough(context["ti"])
            raise (AirflowFailException if enough else AirflowException)(
                f"{len(result.failures)} jobs of batch {self.batch_id} could not be archived"
            )
        if result.open and not backfill:
            interval = self.settings.variables.poll_interval
            self.defer(
                trigger=PrivacyJobsTrigger(
                    batch_id=self.batch_id,
                    adobe_privacy_conn_id=self.adobe_privacy_conn_id,
                    ledger_conn_id=self.ledger_conn_id,
                    poll_interval=interval,
                    deadline=time.time() + DEFAULT_TIMEOUT.total_seconds(),
                    first_look_after=interval,
                ),
                method_name="execute",
            )
        counts = {"archived": result.archived, "errors": len(result.errors)}
        report_archived(
            context,
            self.organisation,
            **counts,
            partial=result.partial,
            missed=len(result.missed),
            bytes=result.bytes,
            regulation=batch.regulation,
        )
        return counts

    @property
    def _written(self) -> str:
        return self.settings.location("archive")

    async def _complete(self, context: Context, ledger: Ledger, batch: Batch) -> Completion:
        """Looks at every job of the batch; in a backfill at those only that Adobe does not list as open."""
        from adobe_privacy.hooks.archive import archive_settings
        from adobe_privacy.ledger.states import JobState
        from adobe_privacy.operators.progress import ArchiveProgress
        from adobe_privacy.results.completion import complete_jobs
        from adobe_privacy.waiting.looks import list_open_jobs

        jobs = ledger.claims.batch_jobs(self.batch_id, JobState.SUBMITTED, JobState.COMPLETE)
        async with self.client() as client:
            listed: frozenset[str] = frozenset()
            if is_backfill(context):
                listed = await list_open_jobs(client, batch.regulation, jobs)
            completion = await complete_jobs(
                [job for job in jobs if job.adobe_job_id not in listed],
                ledger=ledger,
                archive=self.own_archive(ledger),
                client=client,
                settings=archive_settings(self.settings),
                on_progress=ArchiveProgress(self.log, context),
            )
        completion.open += sum(job.adobe_job_id in listed for job in jobs)
        return completion


class SettlePrivacyRequestsOperator(PrivacyOperator):
    """Says what became of the day. Fails, naming them, where jobs ended in error or are not archived, and where lines
    of the inbox were rejected or a file was not read, until they are corrected or closed. In a backfill, jobs that
    Adobe still works on are counted only: privacy_sweep archives them as they come.

    :param batch_ids: what plan returned; None means that there was no plan, and nothing is settled.
    """

    template_fields = (*PrivacyOperator.template_fields, "batch_ids")

    def __init__(self, *, batch_ids: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_ids = batch_ids

    def execute(self, context: Context) -> dict[str, int]:
        from adobe_privacy.reporting.run_report import settle

        if self.batch_ids is None:
            # Otherwise the figures of an earlier end of this run stay beside it.
            push_figures(context, "Not planned: see the log of the task plan.")
            raise AirflowFailException("the day was not planned: see the log of the task plan")
        if is_dry_run(context):
            log.info("Dry run: nothing was sent")
            return {}
        with plain_failures(self.log), self.ledger(context) as ledger:
            ledger.approvals.run_ended(run_of(context))
            settlement = settle(
                ledger,
                run_id=run_of(context),
                inbox_date=inbox_day(context),
                batch_ids=[str(batch_id) for batch_id in self.batch_ids],
                left_to_sweep=is_backfill(context),
            )
            self.tell_figures(ledger)
        push_figures(context, f"Inbox {inbox_day(context)}: {settlement.figures}")
        self.summary = "\n".join((*settlement.lines, *settlement.named[:50]))
        for line in settlement.lines:
            log.info("%s", line)
        if settlement.waiting:
            log.info("%d jobs wait for the next run", settlement.waiting)
        self.fail_for_a_person(settlement.problems, settlement.named)
        return {"jobs": settlement.jobs, "waiting": settlement.waiting, "on_hold": settlement.on_hold}
