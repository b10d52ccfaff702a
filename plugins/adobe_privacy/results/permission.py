"""Whether the credential may read jobs, and their results: one denial may be about one job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from adobe_privacy.api.client import Download, PrivacyServiceClient
from adobe_privacy.api.errors import (
    AddressDenied,
    AuthenticationFailed,
    PermissionDenied,
    PrivacyServiceError,
)
from adobe_privacy.ledger.schema import Job

DENIED_IN_A_ROW = 20
"""So many jobs cannot be read: then nobody can."""


class JobPermission:
    """Tells a job that may not be read from a credential that may read none."""

    def __init__(self) -> None:
        self._denied: list[tuple[Job, PrivacyServiceError]] = []
        self._in_a_row = 0
        self._could_read = False

    def read(self) -> None:
        """A job could be read."""
        self._could_read, self._in_a_row = True, 0

    def denied(self, job: Job, error: PrivacyServiceError) -> None:
        """Raises the error where it is the last of so many in a row, or the credential gets no token."""
        self._denied.append((job, error))
        self._in_a_row += 1
        no_token = isinstance(error, AuthenticationFailed) and error.step == "token"
        if no_token or self._in_a_row == DENIED_IN_A_ROW:
            raise error

    def of_single_jobs(self) -> list[tuple[Job, PrivacyServiceError]]:
        """The denials since this was last asked. Raises the first where no job could be read at all."""
        denied, self._denied = self._denied, []
        if denied and not self._could_read:
            raise denied[0][1]
        return denied


class ReadPermission:
    """Opens downloads for a number of jobs that are worked on at once, and stops asking where all are denied.

    Until a download has been answered, one is asked at a time. `missing` is the denial that settled it: each later
    download raises the same error without a call. It takes as many jobs as the `witnesses` of the latest, which is one
    where Adobe shows no address of a result either; of answers that are not Adobe's, `DENIED_IN_A_ROW`. Once a result
    could be read, a denial is its job's failure.
    """

    def __init__(self) -> None:
        self.missing: PermissionDenied | None = None
        self._denied: set[str] = set()
        self._denied_by_adobe: set[str] = set()
        self._answered = False
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def download(
        self, client: PrivacyServiceClient, job_id: str, url: str | None, *, witnesses: int
    ) -> AsyncIterator[Download]:
        """What `client.download` gives, or the denial that was given to others."""
        async with AsyncExitStack() as stack:
            async with AsyncExitStack() as first:
                if not self._answered:
                    await first.enter_async_context(self._alone)
                if self.missing is not None:
                    raise self.missing
                try:
                    download = await stack.enter_async_context(client.download(job_id, url))
                except PermissionDenied as error:
                    self._deny(error, job_id, witnesses)
                    raise
                except BaseException:
                    # Whatever it is, it says nothing about the permission: the others are not to wait in a row.
                    self._answered = True
                    raise
                self._answered = True
            yield download

    def _deny(self, error: PermissionDenied, job_id: str, witnesses: int) -> None:
        if isinstance(error, AddressDenied):
            self._answered = True
            return
        self._denied.add(job_id)
        if error.by_adobe:
            self._denied_by_adobe.add(job_id)
        enough = len(self._denied_by_adobe) >= witnesses or len(self._denied) >= DENIED_IN_A_ROW
        if enough and not self._answered:
            self.missing = error
