"""The step before deletes are sent, where a person must be asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from adobe_privacy._compat import WAITS_FOR_A_PERSON
from adobe_privacy.failures import plain_failures
from adobe_privacy.form_fields import field
from adobe_privacy.ledger.delete_plan import ANSWERED_WITHIN, DELETE
from adobe_privacy.links import AdobePrivacyLink, PrivacyPageLink, page_url
from adobe_privacy.operators.privacy_requests import PrivacyOperator
from adobe_privacy.plain_text import plain_logger

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.api.datamodels._generated import HITLDetailRequest
    from airflow.sdk.execution_time.hitl import HITLUser

log = plain_logger(__name__)

APPROVE, REJECT = "Approve", "Reject"
HOLD = "hold"


def form() -> ParamsDict:
    """What a person can enter beside the answer. It is made when it is asked for: Airflow would check a task's own
    params at each parse of the DAG file."""
    hold = field(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Hold",
        description="Request ids, one a line, that are put on hold and not sent",
        source="task",
    )
    return ParamsDict({HOLD: hold})


def is_shown(*, assigned_users: Sequence[HITLUser], **question: Any) -> bool:
    """Writes a question down for the UI, and returns whether Airflow shows this one. It shows a task instance's first
    question for ever, also after a clear, when its place in the run's list may be another batch's (3.3.2)."""
    from airflow.sdk.execution_time.comms import CreateHITLDetailPayload, HITLDetailRequestResult
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    asked = CreateHITLDetailPayload(assigned_users=list(assigned_users), **question)  # type: ignore[arg-type]
    shown = SUPERVISOR_COMMS.send(asked)
    if not isinstance(shown, HITLDetailRequestResult):
        raise AirflowException("Airflow does not say which question it shows")
    return _essence(shown) == _essence(asked)


def _essence(question: HITLDetailRequest) -> tuple[object, ...]:
    may_answer = {user.id for user in question.assigned_users or ()}
    return question.subject, question.body, question.options, may_answer


class ApprovePrivacyDeletesOperator(PrivacyOperator, HITLOperator):
    """Asks a person whether a batch's deletes may be sent; passes at once where nobody need be asked.

    The answer is written into the ledger, with the hash of what was shown and the person's name, and only the
    ledger lets deletes be sent: skipping this task, or marking it as succeeded, sends none. Rejected deletes
    are put on hold until a person releases them. What nobody answers in time goes back to the next plan, which
    asks again. So do deletes that a task cannot ask about when it is tried again or cleared, because Airflow still
    shows its first question, and that is another. Nobody is asked about deletes that share a batch with accesses, since
    a question was wanted only after they were claimed: the accesses do not wait, and the next plan asks about the
    deletes. The batch's other steps are skipped only if nothing of it is at Adobe or can be sent, or if another run
    asks about it already. While it waits it holds no worker; before Airflow 3.3 the triggerer looks for the answer.

    :param batch_id: a batch of the ledger.
    :param response_timeout: how long the question waits for its answer; seven days where not given.
    """

    template_fields: Sequence[str] = (*PrivacyOperator.template_fields, "batch_id")
    operator_extra_links = (PrivacyPageLink(), AdobePrivacyLink())

    def __init__(
        self, *, batch_id: str, response_timeout: timedelta = ANSWERED_WITHIN, **kwargs: Any
    ) -> None:
        # The DAG's own parameters are no part of the question.
        kwargs.pop("params", None)
        super().__init__(
            subject="May these deletes be sent to Adobe?",
            options=[APPROVE, REJECT],
            response_timeout=response_timeout,
            **kwargs,
        )
        self.batch_id = batch_id

    def execute(self, context: Context) -> Any:
        from adobe_privacy.ledger.states import UNSENT_STATES
        from adobe_privacy.planning.approval import question

        with plain_failures(self.log), self.ledger(context) as ledger:
            asked_for = self.settings.variables.approve_deletes
            if not ledger.approvals.unapproved_deletes(self.batch_id, approve_deletes=asked_for):
                log.info("Nothing of batch %s needs an approval", self.batch_id)
                return None
            if any(job.action != DELETE for job in ledger.claims.batch_jobs(self.batch_id, *UNSENT_STATES)):
                log.info("Batch %s holds accesses too: its deletes are left to the next plan", self.batch_id)
                return None
            plan = ledger.approvals.delete_plan(self.batch_id)
            until = ledger.now() + (self.response_timeout or ANSWERED_WITHIN)
            if not ledger.approvals.ask(self.batch_id, until):
                # What follows would give them back to the next plan, and the question would be about nothing.
                raise AirflowSkipException(f"another run asks about the deletes of batch {self.batch_id}")
        asked = question(plan, page_url(self.organisation, batch=self.batch_id))
        self.subject, self.body = asked.subject, asked.body
        self.summary = f"{asked.subject} Plan {plan.hash}"
        log.info("%s Plan %s, requests:", asked.subject, plan.hash)
        for request_id in asked.request_ids:
            log.info("%s", request_id)
        self.params = form()
        if not is_shown(
            ti_id=context["ti"].id,
            subject=asked.subject,
            body=asked.body,
            options=self.options,
            defaults=self.defaults,
            multiple=self.multiple,
            params=self.serialized_params,
            # The API server fails where there is no list.
            assigned_users=self.assigned_users or [],
        ):
            # A person would answer that other question, and these deletes would be sent unseen.
            return self._give_back(
                context, "Airflow shows an earlier question of this task, and can show no other"
            )
        try:
            super().execute(context)
        except WAITS_FOR_A_PERSON as waiting:
            waiting.kwargs = {"plan_hash": plan.hash, "on_hold": plan.on_hold}  # type: ignore[attr-defined]
            raise

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any],
        plan_hash: str = "",
        on_hold: Collection[int] | None = None,
    ) -> Any:
        with plain_failures(self.log), self.ledger(context) as ledger:
            own = ledger.approvals.stop_asking(self.batch_id)
        if event.get("error_type") == "timeout":
            if not own:
                # When the time was up another run took the batch over, before this task heard of it.
                raise AirflowSkipException(f"another run asks about the deletes of batch {self.batch_id}")
            return self._give_back(context, "nobody answered in time")
        self.params = form()
        answer = super().execute_complete(context, event)
        user = answer["responded_by_user"]
        if not user:
            raise AirflowException("the answer names nobody who gave it: it is asked again")
        if on_hold is None:
            raise AirflowException(
                "an older version asked, and did not keep what was on hold: it is asked again"
            )
        approved = answer["chosen_options"] == [APPROVE]
        allowed, stopped = self._decide(
            user["name"], plan_hash, approved, answer["params_input"].get(HOLD), on_hold
        )
        self.summary = (
            f"{'Approved' if approved else 'Rejected'} by {user['name']}: {allowed} deletes may be sent, "
            f"{stopped} are on hold; plan {plan_hash}"
        )
        log.info("%s", self.summary)
        if not allowed:
            self._skip(context, f"nothing may be sent: {stopped} deletes were put on hold")
        return {"approved": allowed, "on_hold": stopped, "by": user["name"], "plan": plan_hash}

    def _decide(
        self, user: str, plan_hash: str, approved: bool, hold: object, not_asked: Collection[int]
    ) -> tuple[int, int]:
        from adobe_privacy.ledger.delete_plan import PlanChanged, UnknownRequests
        from adobe_privacy.planning.approval import held_ids

        try:
            with plain_failures(self.log), self.ledger_of(f"user {user}") as ledger:
                return ledger.approvals.decide(
                    self.batch_id,
                    plan_hash,
                    approved=approved,
                    hold=held_ids(hold),
                    not_asked=not_asked,
                )
        except UnknownRequests as unknown:
            raise AirflowException(f"Hold: {unknown}. Nothing was sent; it is asked again") from None
        except PlanChanged:
            raise AirflowException(
                "the plan is not what the question showed any more. Nothing was sent; the next plan asks again"
            ) from None

    def _give_back(self, context: Context, why: str) -> None:
        with plain_failures(self.log), self.ledger(context) as ledger:
            unapproved = ledger.approvals.unapproved_deletes(self.batch_id, approve_deletes=True)
            # Those on hold as well: nothing else of the run takes them out of the batch.
            on_hold = ledger.approvals.delete_plan(self.batch_id).on_hold
            ledger.claims.unclaim(self.batch_id, why, job_ids={job.id for job in unapproved}.union(on_hold))
            ledger.approvals.stop_asking(self.batch_id)
        self._skip(context, f"{why}: {len(unapproved)} deletes wait for the next plan")

    def _skip(self, context: Context, why: str) -> None:
        """Skips the batch's other steps, unless they have something to do."""
        from adobe_privacy.ledger.states import OPEN_STATES

        with plain_failures(self.log), self.ledger(context) as ledger:
            left = ledger.claims.batch_jobs(self.batch_id, *OPEN_STATES)
        if not left:
            raise AirflowSkipException(why)
        log.info("%s", why)
