"""Whether the credential may read results: asked by downloads, of which the first goes alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from adobe_privacy.api.client import Download, PrivacyServiceClient
from adobe_privacy.api.errors import AddressDenied, PermissionDenied


class ReadPermission:
    """Opens downloads for a number of jobs that are worked on at once, and stops asking where all are denied.

    Until a download has been answered, one is asked at a time. `missing` is the denial that settled it: each later
    download raises the same error without a call. It takes as many jobs as the `witnesses` of the latest, which is one
    where Adobe shows no address of a result either. Once a result could be read, a denial is its job's failure.
    """

    def __init__(self) -> None:
        self.missing: PermissionDenied | None = None
        self._denied: set[str] = set()
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
                self._denied.clear()
            yield download

    def _deny(self, error: PermissionDenied, job_id: str, witnesses: int) -> None:
        if isinstance(error, AddressDenied):
            self._answered = True
            return
        self._denied.add(job_id)
        if not self._answered and len(self._denied) >= witnesses:
            self.missing = error
