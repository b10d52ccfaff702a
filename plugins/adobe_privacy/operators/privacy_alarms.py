"""The step of the alarms: what will soon be late, told to people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from adobe_privacy.airflow_organisations import organisation_of
from adobe_privacy.failures import plain_failures
from adobe_privacy.operators.privacy_requests import ALL_REGULATIONS, PrivacyOperator, privacy_archive, run_of
from adobe_privacy.organisations import DEFAULT

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Context

    from adobe_privacy.ledger.ledger import Ledger

# A sweep that stopped longer ago was told of, and may be meant to be off.
SWEEPS_LOOKED_BACK = timedelta(days=14)


class PrivacyAlarmsOperator(PrivacyOperator):
    """Tells of requests near the end of their clock, results near expiry, the day's quota near its end, and of
    what is late: requests that no plan has claimed for 36 hours, batches that are not at Adobe after three hours,
    opt-outs after twelve, a sweep that has not gone through all open jobs for 36 hours. Each of these is told once.
    What needs a person is told again every UTC day; files of the inbox are among it, where no plan has looked for 84
    hours. One message, with request ids and no identity. Fails, when all else is told, where the inbox had to be looked
    into and could not be.

    An alarm is noted as told after the notifiers have taken it: a run that is killed between
    the two, or of whose notifiers one failed, tells it again.

    :param notifiers: any of Airflow's notifiers, whose templates get `alarm.subject` and `alarm.message`. Where
        none is given, those that the variable `privacy_alarm_notifier` names. The task's log has the message too.
    :param sweep_dag_id: the DAG whose successes are looked at beside the ledger's note; the organisation's sweep where
        not given.
    """

    template_fields = (*PrivacyOperator.template_fields, "sweep_dag_id")
    # What is late must be told while the archive cannot be reached, too.
    needs_archive = False

    def __init__(
        self,
        *,
        notifiers: Sequence[BaseNotifier] = (),
        sweep_dag_id: str | None = None,
        organisation: str = DEFAULT,
        **kwargs: Any,
    ) -> None:
        # Of these events a success of the sweep is one: a task can read its inlets' events and no other DAG's runs.
        kwargs.setdefault("inlets", [privacy_archive(organisation)])
        super().__init__(organisation=organisation, **kwargs)
        self.notifiers = notifiers
        self.sweep_dag_id = sweep_dag_id or organisation_of(organisation).own("privacy_sweep")

    def execute(self, context: Context) -> dict[str, int]:
        from adobe_privacy.notifications import configured_notifiers, notify
        from adobe_privacy.reporting.alarms import due_alarms, record

        # First, so that a mistake in the variable shows before the first alarm.
        with plain_failures(self.log):
            notifiers = self.notifiers or configured_notifiers(self.settings.variables.alarm_notifier)
        with plain_failures(self.log), self.ledger(context) as ledger:
            not_looked = self._look_into_the_inbox(ledger, context)
            alarms = due_alarms(
                ledger,
                daily_limit=self.settings.service.daily_job_limit,
                swept_at=self._swept_at(context, ledger.others.swept_at()),
            )
            if alarms.groups:
                # The DAG's own notifiers are its author's code; a variable's are data.
                rendered_with = context if self.notifiers else {}
                notify(
                    notifiers, rendered_with, subject=self._subject(alarms.subject), message=alarms.message
                )
            record(ledger, alarms)
            self.tell_figures(ledger)
        self.tell(context, self._subject(alarms.subject) if alarms.groups else "Nothing to tell")
        if not_looked is not None:
            with plain_failures(self.log):
                raise not_looked
        counts: dict[str, int] = {}
        for group in alarms.groups:
            counts[group.kind] = counts.get(group.kind, 0) + len(group.names)
        return counts

    def _look_into_the_inbox(self, ledger: Ledger, context: Context) -> Exception | None:
        """Where no plan does. Returns why it could not be done: whatever that is, the alarms are told first."""
        from adobe_privacy.planning.unread import is_looked_at, note_unread
        from adobe_privacy.storage import parse_location

        if not self.settings.variables.inbox_uri:
            return None  # the plan has an inbox of its own, by its argument
        try:
            if not is_looked_at(ledger, parse_location(self.settings.location("inbox"))):
                note_unread(self.inbox(), ledger, run_id=run_of(context))
        except Exception as error:
            return error
        return None

    def _subject(self, subject: str) -> str:
        return subject if self.organisation == DEFAULT else f"{self.organisation}: {subject}"

    def _swept_at(self, context: Context, noted: datetime | None) -> datetime | None:
        """When a sweep last went through all regulations; None where that is not known. The ledger has `noted` those,
        too, that did their work and failed to tell a person of something, but none before an upgrade. Where each sweep
        of the last two weeks is limited to some regulations, the last of these counts."""
        since = datetime.now(UTC) - SWEEPS_LOOKED_BACK
        events = context["inlet_events"][privacy_archive(self.organisation)].after(since.isoformat())
        sweeps = [event for event in events if event.source_dag_id == self.sweep_dag_id]
        of_all = [each for each in sweeps if (each.extra or {}).get("regulation") == ALL_REGULATIONS]
        times = [each.timestamp for each in of_all] + ([] if noted is None or noted < since else [noted])
        return max(times or [each.timestamp for each in sweeps], default=noted)
