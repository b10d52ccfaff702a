"""The step of the sweep: whatever Adobe has finished, archived whoever asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from adobe_privacy.failures import plain_failures
from adobe_privacy.links import AdobePrivacyLink, PrivacyArchiveLink, PrivacyPageLink
from adobe_privacy.operators.privacy_requests import (
    ALL_REGULATIONS,
    PrivacyOperator,
    inbox_day,
    is_backfill,
    names_of,
    privacy_archive,
    report_archived,
)
from adobe_privacy.organisations import DEFAULT
from adobe_privacy.plain_text import plain_logger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from adobe_privacy.ledger.ledger import Ledger
    from adobe_privacy.results.sweep import Sweep

log = plain_logger(__name__)

MOST_OVERLAP = 366


def _days(value: int | str) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number <= MOST_OVERLAP:
        raise AirflowFailException(f"overlap_days must be a whole number from 0 to {MOST_OVERLAP}")
    return number


class SweepPrivacyJobsOperator(PrivacyOperator):
    """Archives what Adobe lists as finished and is not archived yet, whoever asked for it and whenever it finished.

    Jobs in the ledger that no list shows, or that one shows as open for long, are asked for by their ids, some in
    each run, in turn. The run's day only limits what is counted and told.

    A day that Adobe's lists do not reach fails at once. Jobs of ours that ended in error, results that can be read no
    more, and jobs of ours that some product did not do, fail the task after all others are archived, and it is not
    tried again: the last are told by the sweep that archives them only. What could not be archived for another reason
    is tried again, then or by the next sweep. The ledger notes when a sweep of all regulations has gone through all
    that is open, also where it then fails to tell a person of it. Its success is an event of the asset
    `privacy_archive`, which carries counts.

    :param overlap_days: a scheduled run tells of so many days before its own as well, and of what has finished since
        midnight. A backfilled run tells of its own day.
    :param regulations: codes to which the sweep is limited; the DAG's param `regulations` where not given.
    """

    template_fields = (*PrivacyOperator.template_fields, "overlap_days", "regulations")

    operator_extra_links = (PrivacyArchiveLink(), PrivacyPageLink(), AdobePrivacyLink())

    def __init__(
        self,
        *,
        overlap_days: int | str = 2,
        regulations: Sequence[str] | str | None = None,
        organisation: str = DEFAULT,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("outlets", [privacy_archive(organisation)])
        super().__init__(organisation=organisation, **kwargs)
        self.overlap_days = overlap_days
        self.regulations = regulations

    def execute(self, context: Context) -> dict[str, int]:
        from adobe_privacy.regulations.codes import REGULATIONS, RegulationError, canonical_regulation
        from adobe_privacy.results.sweep import DayOutOfReach

        day = inbox_day(context)
        first, last = day, day
        if not is_backfill(context):
            first, last = day - timedelta(days=_days(self.overlap_days)), day + timedelta(days=1)
        try:
            regulations = [
                canonical_regulation(code)
                for code in names_of(context, "regulations", self.regulations) or REGULATIONS
            ]
        except RegulationError as error:
            raise AirflowFailException(f"the parameter regulations: {error}") from None
        with plain_failures(self.log), self.ledger(context) as ledger:
            try:
                with self.heeding_pauses(ledger):
                    result = asyncio.run(self._sweep(context, ledger, first, last, regulations))
            except DayOutOfReach as error:
                raise AirflowFailException(str(error)) from None
            # A sweep of some regulations says nothing of the others.
            of_all = REGULATIONS.keys() <= set(regulations)
            if of_all and not result.not_listed and len(result.failures) == result.damaged:
                ledger.others.note_sweep()
            self.tell_figures(ledger)
        self.tell(
            context,
            f"{first} to {last}: Adobe finished {result.finished} jobs; {result.archived} archived now, "
            f"{result.adopted} of others found for the first time, {len(result.errors)} ended in error, "
            + (f"{len(result.not_done)} not done by some product, " if result.not_done else "")
            + f"{len(result.failures)} failed"
            + (f"; {result.asked} in no list asked for singly" if result.asked else "")
            + (f", {result.not_asked} left for the next runs" if result.not_asked else "")
            + (f"; {result.asked_though_open} listed as open asked for" if result.asked_though_open else "")
            + (f"; {len(result.not_listed)} lists could not be read" if result.not_listed else ""),
        )
        self._judge(result)
        report_archived(
            context,
            self.organisation,
            archived=result.archived,
            errors=len(result.errors),
            partial=result.partial,
            missed=result.missed,
            bytes=result.bytes,
            regulation=ALL_REGULATIONS if of_all else ",".join(dict.fromkeys(regulations)),
        )
        return {"finished": result.finished, "archived": result.archived, "adopted": result.adopted}

    @property
    def _written(self) -> str:
        return self.settings.location("archive")

    def _judge(self, result: Sweep) -> None:
        if result.left:
            log.warning(
                "%d jobs have the key of a request that is being sent at the moment: the submission will tell "
                "whether they are its own",
                result.left,
            )
        if result.doubtful:
            log.warning(
                "Adobe lists %d jobs that the ledger took for not sent: the ledger was restored, or lost what it had "
                "written. They are looked up before anything of them is sent; run `airflow privacy reconcile`",
                result.doubtful,
            )
        for failure in result.failures:
            log.error("Not archived: %s", failure)
        for error in (*result.errors, *result.not_done):
            log.error("%s", error)
        for gone in result.gone:
            log.error("Not archived, and Adobe keeps job data for 30 days after completion: %s", gone)
        for problem in (*result.not_listed, *result.not_read):
            log.error("Not read: %s", problem)
        told = []
        if result.failures or result.not_listed or result.not_read:
            lists = f", {len(result.not_listed)} lists could not be read" if result.not_listed else ""
            lists += f", {len(result.not_read)} older manifests could not be read" if result.not_read else ""
            told.append(f"{len(result.failures)} jobs could not be archived{lists}: see the log")
        if problems := [*result.errors, *result.not_done, *result.gone]:
            told.append(f"{len(problems)} jobs need a look, see the log: {'; '.join(problems[:10])}")
            # Only the try that has dealt with such a job is sure to tell of it: a further one could end well.
            raise AirflowFailException(". The next sweep tries again. ".join(told))
        if told:
            raise AirflowException(told[0])

    async def _sweep(
        self, context: Context, ledger: Ledger, first: date, last: date, regulations: list[str]
    ) -> Sweep:
        from adobe_privacy.hooks.archive import archive_settings
        from adobe_privacy.operators.progress import ArchiveProgress
        from adobe_privacy.results.judged_again import judge_again
        from adobe_privacy.results.sweep import sweep

        again = judge_again(ledger, self.archive())
        if again.judged:
            log.info(
                "%d jobs that an older version judged were judged again by their manifests", again.judged
            )
        async with self.client() as client:
            result = await sweep(
                first=first,
                last=last,
                ledger=ledger,
                archive=self.own_archive(ledger),
                client=client,
                regulations=regulations,
                clocks=self.settings.variables.legal_clocks,
                settings=archive_settings(self.settings),
                default_products=self.settings.service.products,
                on_progress=ArchiveProgress(self.log, context),
            )
        result.not_read = again.failures
        return result
