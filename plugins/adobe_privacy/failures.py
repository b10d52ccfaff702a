"""Our errors as Airflow's: one clear line first, and no retries where only a person can help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from adobe_privacy.plain_text import plain

# The least number of tries for what `tried_enough` is about.
FEW_TRIES = 4


@contextmanager
def plain_failures(log: Any) -> Iterator[None]:
    """Turns our errors into a failed task that is retried only where that can help. Others pass as they are."""
    try:
        yield
    except Exception as error:
        failure = _failure(error)
        if failure is None:
            raise
        log.error("%s", failure)
        raise failure from None


def tries_so_far(task_instance: Any) -> int:
    """This one included, since the task was last cleared: a clear grants all its tries anew. Where the DAG
    granted fewer tries when the task was made, all tries count."""
    before_the_clear = max(0, task_instance.max_tries - task_instance.task.retries)
    return int(task_instance.try_number - before_the_clear)


def tried_enough(task_instance: Any) -> bool:
    """Whether this is the last try for what may pass and most often needs a person, or for what holds others up. A task
    of many tries has them at short intervals, and gets a third of them: for each step of `privacy_requests`, some five
    minutes."""
    return tries_so_far(task_instance) >= max(FEW_TRIES, int(task_instance.task.retries) // 3)


def _is_last_try() -> bool:
    try:
        context = get_current_context()
    except RuntimeError:  # outside a task
        return False
    return tried_enough(context["ti"])


def _failure(error: Exception) -> AirflowException | None:
    # Imported here: whoever gets this far has them all, and a DAG that is only parsed needs none.
    from adobe_privacy.api.errors import (
        AuthenticationFailed,
        PermissionDenied,
        PrivacyServiceError,
        RequestRefused,
    )
    from adobe_privacy.archive import ArchiveError
    from adobe_privacy.ledger.database import LedgerError
    from adobe_privacy.settings import LookUpFailed, NotThere, SettingsError
    from adobe_privacy.storage import (
        AccessDenied,
        InvalidLocation,
        LocationNotFound,
        StorageError,
        StoreUnfit,
    )

    if isinstance(error, NotThere | LedgerError):
        return (AirflowFailException if _is_last_try() else AirflowException)(plain(str(error)))
    if isinstance(error, LookUpFailed):
        return AirflowException(plain(str(error)))
    needs_a_person = (
        AccessDenied,
        AuthenticationFailed,
        InvalidLocation,
        LocationNotFound,
        PermissionDenied,
        RequestRefused,
        SettingsError,
        StoreUnfit,
    )
    if isinstance(error, needs_a_person):
        return AirflowFailException(plain(str(error)))
    if isinstance(error, PrivacyServiceError | StorageError | ArchiveError):
        return AirflowException(plain(str(error)))
    return None
