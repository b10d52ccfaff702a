"""The step of the alarms: what will soon be late, told to people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from adobe_privacy.failures import plain_failures
from adobe_privacy.operators.privacy_requests import PrivacyOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseNotifier, Context


class PrivacyAlarmsOperator(PrivacyOperator):
    """Tells of requests near the end of their clock, results near expiry, and the day's quota near its end, in
    one message with request ids and no identity.

    Each alarm is told once. It is noted as told after the notifiers have taken it: a run that is killed between
    the two, or of whose notifiers one failed, tells it again.

    :param notifiers: any of Airflow's notifiers, whose templates get `alarm.subject` and `alarm.message`. Where
        none is given, those that the variable `privacy_alarm_notifier` names. The task's log has the message too.
    """

    def __init__(self, *, notifiers: Sequence[BaseNotifier] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.notifiers = notifiers

    def execute(self, context: Context) -> dict[str, int]:
        from adobe_privacy.notifications import configured_notifiers, notify
        from adobe_privacy.reporting.alarms import due_alarms, record

        # First, so that a mistake in the variable shows before the first alarm.
        notifiers = self.notifiers or configured_notifiers()
        with plain_failures(self.log), self.ledger(context) as ledger:
            alarms = due_alarms(ledger, daily_limit=self.hook.settings().daily_job_limit)
            if alarms.groups:
                notify(notifiers, context, subject=alarms.subject, message=alarms.message)
            record(ledger, alarms)
        self.tell(context, alarms.subject if alarms.groups else "Nothing to tell")
        counts: dict[str, int] = {}
        for group in alarms.groups:
            counts[group.kind] = counts.get(group.kind, 0) + len(group.names)
        return counts
