"""How far an archiving task is, while it runs: in its log, and in the UI as the task's state store."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adobe_privacy.results.completion import Completion

EVERY = 10.0
KEY = "progress"


class ArchiveProgress:
    """To be called with the counts as they grow: tells them every ten seconds, and at the end.

    The UI shows them in the task instance's tab "Task State Store", under `progress`: counts, nothing else.
    """

    def __init__(self, log: Any, context: Mapping[str, Any], *, every: float = EVERY) -> None:
        self._log = log
        self._store = context.get("task_state_store")
        self._every = every
        self._next = time.monotonic() + every
        # Airflow keeps what an earlier try left, perhaps of another batch.
        self._keep({})

    def __call__(self, so_far: Completion) -> None:
        if time.monotonic() < self._next and so_far.dealt_with < so_far.jobs:
            return
        self._next = time.monotonic() + self._every
        counts = {
            "jobs": so_far.jobs,
            "archived": so_far.archived,
            "bytes": so_far.bytes,
            "not_final": so_far.open,
            "in_error": len(so_far.errors),
            "failed": len(so_far.failures),
        }
        self._log.info(
            "%d of %d jobs dealt with: %d archived (%.1f MB), %d not final yet, %d in error, %d failed",
            so_far.dealt_with,
            so_far.jobs,
            so_far.archived,
            so_far.bytes / 1e6,
            so_far.open,
            len(so_far.errors),
            len(so_far.failures),
        )
        self._keep(counts)

    def _keep(self, counts: Mapping[str, int]) -> None:
        if self._store is not None:
            try:
                self._store.set(KEY, dict(counts))
            except Exception as error:
                # What is only shown must not cost the task.
                self._log.warning("The progress could not be stored for the UI: %s", type(error).__name__)
