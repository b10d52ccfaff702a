"""The steps of keeping the archive: erase what is past its retention, clean up, re-read a sample."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from adobe_privacy.failures import plain_failures
from adobe_privacy.operators.privacy_requests import PrivacyOperator
from adobe_privacy.plain_text import plain_logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow.sdk import Context

    from adobe_privacy.archive import Manifest, RetentionAction
    from adobe_privacy.intake.forgetting import InboxAction
    from adobe_privacy.ledger.ledger import Ledger

log = plain_logger(__name__)

RETENTION_VARIABLE = "privacy_retention_days"


class _RetentionOperator(PrivacyOperator):
    """What erasing and cleaning up share: the dry run, and an account of what was done."""

    def report(
        self,
        context: Context,
        actions: Iterator[RetentionAction | InboxAction],
        *,
        subject: str,
        dry_run: bool,
    ) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for action in actions:
            counts[action.action] += 1
            log.info("%s%s: %s (%s)", "would be " * dry_run, action.action, action.key, action.detail)
        figures = ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing was due"
        self.tell(context, f"{subject}: {'dry run, nothing was changed: ' * dry_run}{figures}")
        if counts["failed"]:
            raise AirflowException(f"{counts['failed']} objects could not be dealt with: see the log")
        return dict(counts)


class _Erasures:
    """The ledger's word on each result, at the moment of erasing it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def begin(self, manifest: Manifest) -> bool:
        return self._ledger.erasures.begin(
            manifest.job_id, manifest.request_id, manifest.folder, untouched=manifest.erasure is None
        )

    def is_held(self, manifest: Manifest) -> bool:
        return self._ledger.erasures.is_held(manifest.job_id, manifest.request_id)

    def not_due(self, manifest: Manifest) -> None:
        self._ledger.erasures.not_due(manifest.job_id)

    def done(self, manifest: Manifest) -> None:
        self._ledger.erasures.done(manifest.job_id, manifest.written_sha256)

    def unfinished(self) -> Iterable[str]:
        return self._ledger.erasures.unfinished()

    def stopped(self, folder: str) -> bool:
        return self._ledger.erasures.note_stopped(folder)


class ErasePrivacyResultsOperator(_RetentionOperator):
    """Erases results past the retention of their regulation and leaves a tombstone with hash and reason.

    Off until the variable `privacy_retention_days` is set. A result on legal hold stays: the ledger is asked about each
    result immediately before it is erased. A result that cannot be erased fails the task after all others are done. An
    erasure whose manifest is gone does not: it is in the list of what needs a person, as `not_erased`.
    """

    def execute(self, context: Context) -> dict[str, int]:
        from adobe_privacy.archive import erase_expired
        from adobe_privacy.hooks.archive import key_place, signing

        with plain_failures(self.log), self.ledger(context) as ledger:
            # With the ledger open: it stops a run that finds retention absent where it was in force.
            days = self.settings.variables.retention_days
            if not days and not ledger.erasures.unfinished():
                self.tell(
                    context, f"Results: the variable {RETENTION_VARIABLE} is not set: nothing is erased"
                )
                return {}
            dry_run = bool(context["params"].get("dry_run"))
            return self.report(
                context,
                erase_expired(
                    self.archive() if dry_run else self.own_archive(ledger),
                    days,
                    erasures=_Erasures(ledger),
                    keys=key_place(self.settings),
                    dry_run=dry_run,
                    sign=signing(self.settings),
                ),
                subject="Results",
                dry_run=dry_run,
            )


class ErasePrivacyInboxOperator(_RetentionOperator):
    """Erases inbox files whose requests have all been at an end for `privacy_inbox_retention_days`, 30 where not set.

    Files with a request on hold or not at an end, with a line that nobody corrected or closed, and files that nobody
    has read as they are now stay. A file that cannot be erased fails the task after all others are done.
    """

    def execute(self, context: Context) -> dict[str, int]:
        from adobe_privacy.intake.forgetting import erase_inbox

        dry_run = bool(context["params"].get("dry_run"))
        with plain_failures(self.log), self.ledger(context) as ledger:
            days = self.settings.variables.inbox_retention_days
            return self.report(
                context,
                erase_inbox(self.inbox(), ledger, days=days, dry_run=dry_run),
                subject=f"Inbox, {days} days",
                dry_run=dry_run,
            )


class ForgetPrivacyRequestsOperator(PrivacyOperator):
    """Takes the ids, fingerprints and file names of requests out of the ledger whose last change was
    `privacy_ledger_retention_months` ago, 24 where not set. Figures and history stay; an id that comes again is
    recognised.

    Requests on hold, and those that still wait for something or for a person, stay.
    """

    def execute(self, context: Context) -> dict[str, int]:
        from adobe_privacy.ledger.forgetting import months_before

        dry_run = bool(context["params"].get("dry_run"))
        with plain_failures(self.log), self.ledger(context) as ledger:
            months = self.settings.variables.ledger_retention_months
            before = months_before(ledger.now(), months)
            count = len(ledger.forgetting.due(before)) if dry_run else sum(ledger.forgetting.forget(before))
        self.tell(
            context,
            f"Ledger, {months} months: {'dry run, nothing was changed: ' * dry_run}{count} requests forgotten",
        )
        return {"forgotten": count}


class CleanUpPrivacyArchiveOperator(_RetentionOperator):
    """Deletes what no manifest names: attempts that were killed, and rejected downloads.

    :param older_than_days: how long such objects are kept for a look; 7 where not given.
    """

    template_fields = (*PrivacyOperator.template_fields, "older_than_days")

    def __init__(self, *, older_than_days: int | str = 7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.older_than_days = older_than_days

    def execute(self, context: Context) -> dict[str, int]:
        from adobe_privacy.archive import clean_up
        from adobe_privacy.hooks.archive import key_place

        dry_run = bool(context["params"].get("dry_run"))
        with plain_failures(self.log), self.ledger(context) as ledger:
            return self.report(
                context,
                clean_up(
                    self.archive() if dry_run else self.own_archive(ledger),
                    older_than=timedelta(days=int(self.older_than_days)),
                    on_hold=ledger.erasures.is_held,
                    is_archived=ledger.erasures.is_archived,
                    is_lost=ledger.erasures.is_stopped,
                    keys=key_place(self.settings),
                    dry_run=dry_run,
                ),
                subject="Attempts",
                dry_run=dry_run,
            )


class VerifyPrivacyArchiveOperator(PrivacyOperator):
    """Re-reads today's share of the archive and compares it with its manifests, and these with the ledger; seals the
    ledger's history and checks a share of its seals. Fails, naming what is wrong.

    :param every_days: each result is read once in so many daily runs; 30 where not given.
    """

    template_fields = (*PrivacyOperator.template_fields, "every_days")

    def __init__(self, *, every_days: int | str = 30, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.every_days = every_days

    def execute(self, context: Context) -> dict[str, int]:
        from adobe_privacy.archive import verify_sample
        from adobe_privacy.hooks.archive import archive_opener, key_place, signing
        from adobe_privacy.seals import check_history, seal_history
        from adobe_privacy.storage import StorageError

        seal, not_sealed = None, ""
        with plain_failures(self.log), self.ledger(context) as ledger:
            dry_run = bool(context["params"].get("dry_run"))
            archive = self.archive() if dry_run else self.own_archive(ledger)
            sign = signing(self.settings)
            try:
                seal = ledger.chain.head() if dry_run else seal_history(ledger, archive, sign)
            except StorageError as error:
                # The results are re-read all the same.
                not_sealed = f"the head of the history cannot be written: {error}"
                log.error("history: %s", not_sealed)
            turn = ledger.now().toordinal()
            problems = check_history(ledger, archive, every=int(self.every_days), turn=turn)
            for problem in problems:
                log.error("history: %s", problem)
            verification = verify_sample(
                archive,
                every_days=int(self.every_days),
                opener=archive_opener(self.settings),
                keys=key_place(self.settings),
                witness=ledger.chain,
            )
            for finding in verification:
                log.log(40 if finding.severity == "error" else 20, "%s: %s", finding.key, finding.detail)
        summary = verification.summary
        errors = summary.errors + len(problems)
        sealed = "nothing to seal" if seal is None else f"history sealed, head {seal.number} {seal.hash[:12]}"
        sealed = not_sealed or sealed
        self.tell(context, f"Sample: {summary.results} results re-read, {errors} errors; {sealed}")
        if problems:
            raise AirflowFailException(
                f"the ledger's history is not as it was sealed: {'; '.join(problems[:5])}"
            )
        if not summary.ok:
            raise AirflowFailException(f"{summary.errors} archived results are not what their manifests say")
        if not_sealed:
            raise AirflowException(not_sealed)
        return {"results": summary.results, "bytes": summary.bytes}
