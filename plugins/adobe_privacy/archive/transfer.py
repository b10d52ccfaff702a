"""One pass over a result: from the download through hash and ZIP check into the store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from adobe_privacy.archive.encryption import DataKey
from adobe_privacy.archive.errors import ArchiveError, DownloadIncomplete, InvalidArchive
from adobe_privacy.archive.zip_check import ZipCheck
from adobe_privacy.archive.zip_rules import ZipLimits, ZipSummary
from adobe_privacy.storage import Store, Written

BLOCK_SIZE = 2 * 1024 * 1024
"""Bytes handed to the threads at once: large enough that the hand-over costs nothing."""


class Download(Protocol):
    """An open answer. `content_length` is the announced number of bytes that `chunks` will bring."""

    @property
    def content_length(self) -> int | None: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, in pieces of any size. Raises the client's errors."""
        ...


OpenDownload: TypeAlias = Callable[[], AbstractAsyncContextManager[Download]]


@dataclass(frozen=True)
class Transferred:
    """A result that is whole, checked and stored. `size` in bytes, `sha256` in hex; those of the ciphertext
    where it is encrypted."""

    size: int
    sha256: str
    summary: ZipSummary
    written: Written
    sealed_size: int = 0
    sealed_sha256: str = ""


async def transfer(
    store: Store,
    key: str,
    open_download: OpenDownload,
    *,
    limits: ZipLimits,
    rejected_key: str | None = None,
    data_key: DataKey | None = None,
) -> Transferred:
    """Download a result, check it and store it under `key`; with `data_key`, encrypted on the way.

    Memory is bounded whatever the size; hashing, inflating and writing happen outside the event loop.

    Raises `DownloadIncomplete` or `InvalidArchive`, the client's errors, or `StorageError`; nothing is under
    `key` then. Where `rejected_key` is given, the bytes that failed the check are kept there, unless there
    were none or the connection broke.
    """
    async with AsyncExitStack() as stack:
        download = await stack.enter_async_context(open_download())
        inspection = _Inspection(limits, download.content_length, keep_going=rejected_key is not None)
        stack.push_async_callback(inspection.settle)
        blocks = await stack.enter_async_context(aclosing(_blocks(download.chunks())))
        first = await anext(blocks, b"")
        second = await anext(blocks, None)
        if second is None:
            failure = await inspection.whole(first)
            target = key if failure is None else rejected_key
            if target is not None and (first or failure is None):
                stored = first if data_key is None else await asyncio.to_thread(data_key.seal, first)
                sealed = (len(stored), hashlib.sha256(stored).hexdigest())
                written = await store.write_async(target, stored)
        else:
            passing = await stack.enter_async_context(aclosing(inspection.passing(first, second, blocks)))
            if data_key is None:
                written = await store.write_stream_async(key, passing)
            else:
                sealing = data_key.sealing(passing)
                ciphertext = await stack.enter_async_context(aclosing(sealing.passing()))
                written = await store.write_stream_async(key, ciphertext)
                sealed = (sealing.size, sealing.sha256)
            failure = inspection.failure
            if failure is not None and rejected_key is not None:
                await store.move_async(key, rejected_key)
        if failure is not None:
            raise failure
        found = Transferred(inspection.size, inspection.sha256, inspection.summary, written)
        return found if data_key is None else replace(found, sealed_size=sealed[0], sealed_sha256=sealed[1])


async def _blocks(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The same bytes in blocks of at least BLOCK_SIZE, the last one smaller."""
    pieces: list[bytes] = []
    size = 0
    async for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size >= BLOCK_SIZE:
            yield b"".join(pieces)
            pieces, size = [], 0
    if size:
        yield b"".join(pieces)


class _Inspection:
    """Hash, size and ZIP check of blocks passing by, each on a thread, at most one block behind.

    With `keep_going` a failed check is remembered instead of raised, so that the bytes can be kept.
    """

    def __init__(self, limits: ZipLimits, content_length: int | None, *, keep_going: bool) -> None:
        self.size = 0
        self.failure: ArchiveError | None = None
        self.summary = ZipSummary(0, 0, frozenset())
        self._content_length = content_length
        self._keep_going = keep_going
        self._hash = hashlib.sha256()
        self._check = ZipCheck(limits)
        self._hashing = _Lane(self._hash.update)
        self._checking = _Lane(self._check.feed)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    async def passing(
        self, first: bytes, second: bytes, blocks: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes, None]:
        """The blocks, handed on once the threads have them; where the check fails, an error for an end."""
        for block in (first, second):
            await self.take(block)
            yield block
        async for block in blocks:
            await self.take(block)
            yield block
        if (failure := await self.finish()) is not None and not self._keep_going:
            raise failure

    async def whole(self, block: bytes) -> ArchiveError | None:
        """All of it in one go, since for a small result the way to a thread costs more than the work there."""
        self.size = len(block)

        def check() -> ZipSummary:
            self._hash.update(block)
            self._check.feed(block)
            return self._check.finish()

        try:
            self.summary = await asyncio.to_thread(check)
        except InvalidArchive as failure:
            self.failure = failure
        return self._judged()

    async def take(self, block: bytes) -> None:
        self.size += len(block)
        await self._hashing.take(block)
        if self.failure is None:
            try:
                await self._checking.take(block)
            except InvalidArchive as failure:
                self._fail(failure)

    async def finish(self) -> ArchiveError | None:
        """Wait for the threads and close the check. Says what is wrong, a wrong length before all else."""
        await self._hashing.drain()
        try:
            if self.failure is None:
                await self._checking.drain()
                self.summary = await asyncio.to_thread(self._check.finish)
        except InvalidArchive as failure:
            self.failure = failure
        return self._judged()

    def _judged(self) -> ArchiveError | None:
        if self._content_length is not None and self._content_length != self.size:
            self.failure = DownloadIncomplete(self._content_length, self.size)
        return self.failure

    async def settle(self) -> None:
        """Wait for the threads, whatever became of the transfer."""
        await self._hashing.drain()
        with suppress(InvalidArchive):
            await self._checking.drain()

    def _fail(self, failure: InvalidArchive) -> None:
        self.failure = failure
        if not self._keep_going:
            raise failure


class _Lane:
    """Calls a function with one block after the other on a thread; `take` waits only for the block before."""

    def __init__(self, consume: Callable[[bytes], None]) -> None:
        self._consume = consume
        self._running: asyncio.Future[None] | None = None

    async def take(self, block: bytes) -> None:
        await self.drain()
        self._running = asyncio.get_running_loop().run_in_executor(None, self._consume, block)

    async def drain(self) -> None:
        if self._running is not None:
            running, self._running = self._running, None
            await running
