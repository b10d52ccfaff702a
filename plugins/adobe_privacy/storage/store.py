"""Reading and writing objects."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import obstore
from obstore.exceptions import (
    BaseError,
)

from adobe_privacy.storage import answers, local
from adobe_privacy.storage.errors import (
    ObjectExists,
    ObjectNotFound,
    StorageError,
    StorageUnavailable,
)
from adobe_privacy.storage.location import Location
from adobe_privacy.storage.objects import ObjectInfo, Written, info_of, written_of
from adobe_privacy.storage.translate import no_conditions, translated

T = TypeVar("T")

PART_SIZE = 8 * 1024 * 1024
"""Bytes of one part of a streamed upload. S3 allows 10,000 parts, so 80 GiB is the largest object."""

PARTS_IN_FLIGHT = 3
"""Parts uploaded at once; with the one being filled, a streamed upload holds four parts in memory."""

READ_SIZE = 1024 * 1024


class _Stopped(Exception):
    """Raised inside an upload's iterator to make the library abort the upload."""


@dataclass(frozen=True, repr=False)
class Store:
    """The objects below one location; every key is relative to it and has `/` between its segments.

    A write is seen whole or not at all. Every method raises the `StorageError` family and nothing else of
    the library's. Calls ending in `_async` do their work outside the event loop; the others block.
    """

    location: Location
    _backend: Any
    _attributes: dict[str, str] | None = None
    _durable: bool = False

    def __repr__(self) -> str:
        return f"Store({self.location.uri!r})"

    # Reading

    def read(self, key: str) -> bytes:
        """The whole object. Meant for small ones."""
        self._require_file(key)
        return self._do(key, lambda: bytes(obstore.get(self._backend, key).bytes()))

    async def read_async(self, key: str) -> bytes:
        """The whole object. Meant for small ones."""

        async def read() -> bytes:
            result = await obstore.get_async(self._backend, key)
            return bytes(await result.bytes_async())

        self._require_file(key)
        return await self._do_async(key, read)

    def chunks(self, key: str, size: int = READ_SIZE) -> Iterator[bytes]:
        """The object in pieces of about `size` bytes, so that its size does not matter."""
        self._require_file(key)
        stream = self._do(key, lambda: iter(obstore.get(self._backend, key).stream(size)))
        while (chunk := self._do(key, lambda: next(stream, None))) is not None:
            yield chunk if isinstance(chunk, bytes) else bytes(chunk)

    def info(self, key: str) -> ObjectInfo:
        """Size, etag and version of an object."""
        return info_of(self._do(key, lambda: answers.head(self._backend, self.location, key)))

    def _require_file(self, key: str) -> None:
        """The library would open a named pipe and wait for ever."""
        if self.location.scheme == "file" and not local.is_file(Path(self.location.prefix, key)):
            uri = self.location.object_uri(key)
            raise ObjectNotFound(f"{uri}: there is no such file", uri=uri)

    # Listing

    def objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object below `prefix`, at any depth, in no promised order. A missing folder has none.

        `prefix` is whole path segments: `a/b` covers `a/b/c`, not `a/bc`.
        """
        seen: set[str] = set()
        try:
            for meta in answers.every_object(self._backend, self.location, prefix):
                if self.location.scheme == "file":
                    seen.add(meta["path"])
                yield info_of(meta)
        except (BaseError, OSError) as error:
            if self.location.scheme != "file":
                raise translated(error, self.location, prefix) from None
            # One odd name in a folder makes the library refuse to list it.
            for key, found, modified in local.walk(Path(self.location.prefix), prefix, []):
                if key not in seen:
                    yield ObjectInfo(key, found.st_size, modified, None, None)

    def odd_names(self, prefix: str = "") -> list[str]:
        """What lies in a folder on disk and can be no object, such as links and names with control characters."""
        odd: list[str] = []
        if self.location.scheme == "file":
            for _ in local.walk(Path(self.location.prefix), prefix, odd):
                pass
        return sorted(odd)

    def objects_directly_in(self, prefix: str = "") -> list[ObjectInfo]:
        """The objects directly in the folder `prefix`, sorted by key, without those of its sub-folders."""
        try:
            result = self._do(prefix, lambda: answers.one_level(self._backend, self.location, prefix))
        except StorageUnavailable:
            # The library lists no folder in which one name holds a control character.
            if self.location.scheme != "file":
                raise
            return sorted(_scanned(Path(self.location.prefix), prefix))
        found = sorted(info_of(meta) for meta in result["objects"])
        if self.location.scheme == "file":
            # The library takes pipes, sockets and devices for empty files.
            return [info for info in found if local.is_file(Path(self.location.prefix, info.key))]
        return found

    def not_files(self, prefix: str = "") -> Iterator[tuple[ObjectInfo, str]]:
        """What lies directly in a folder on disk and is no file, and what it is, such as "a named pipe"."""
        if self.location.scheme == "file":
            for entry, what in local.not_files(Path(self.location.prefix, prefix)):
                modified = datetime.fromtimestamp(entry.stat(follow_symlinks=False).st_mtime, UTC)
                yield ObjectInfo(f"{prefix}/{entry.name}", 0, modified, None, None), what

    def folders(self, prefix: str = "") -> list[str]:
        """The names of the folders directly below `prefix`, sorted; for an inbox, its days."""
        if self.location.scheme == "file":
            return self._do(prefix, lambda: local.folders(Path(self.location.prefix, prefix)))
        result = self._do(prefix, lambda: answers.one_level(self._backend, self.location, prefix))
        return sorted(folder.rstrip("/").rpartition("/")[2] for folder in result["common_prefixes"])

    # Writing

    def write(self, key: str, data: bytes) -> Written:
        """Write an object, replacing one that is there."""
        self._prepare(key)
        written = self._do(
            key, lambda: written_of(obstore.put(self._backend, key, data, **self._put_options()))
        )
        self._settle(key)
        return written

    async def write_async(self, key: str, data: bytes) -> Written:
        """Write an object, replacing one that is there."""

        await self._prepare_async(key)

        async def write() -> Written:
            return written_of(await obstore.put_async(self._backend, key, data, **self._put_options()))

        written = await self._do_async(key, write, writing=True)
        await self._settle_async(key)
        return written

    def create(self, key: str, data: bytes) -> Written:
        """Write an object only if there is none; of several writers exactly one succeeds.

        Raises `ObjectExists` for all others. After a lost answer the library repeats the request, so an
        `ObjectExists` may stand for an object that this very call has written: compare before you discard.
        """
        options = self._put_options()
        self._prepare(key)
        written = self._do(
            key,
            lambda: written_of(obstore.put(self._backend, key, data, mode="create", **options)),
            writing=True,
        )
        self._settle(key)
        return written

    def read_with_info(self, key: str) -> tuple[bytes, ObjectInfo]:
        """A small object, and which of its versions this is."""

        def read() -> tuple[bytes, ObjectInfo]:
            found = obstore.get(self._backend, key)
            return bytes(found.bytes()), info_of(found.meta)

        self._require_file(key)
        return self._do(key, read)

    def replace(self, key: str, data: bytes, seen: ObjectInfo | Written) -> Written:
        """Write an object only if it is still what was `seen`, or written: of several writers exactly one succeeds.

        Raises `ObjectExists` for all others, and as `create` maybe after a lost answer: compare what is there.
        """

        def put() -> Written:
            # S3 and Azure compare the ETag, Google the version.
            marks = {"e_tag": seen.etag, "version": seen.version}
            mode: Any = {name: mark for name, mark in marks.items() if mark is not None}
            options = self._put_options()
            return written_of(obstore.put(self._backend, key, data, mode=mode, **options))

        if self.location.scheme != "file":
            return self._do(key, put)
        # The library knows no conditional replacement of a file.
        with local.locked(Path(self.location.prefix)):
            if self.info(key).etag != seen.etag:
                uri = self.location.object_uri(key)
                raise ObjectExists(f"{uri} was changed meanwhile", uri=uri)
            return self.write(key, data)

    async def create_async(self, key: str, data: bytes) -> Written:
        """As `create`."""
        await self._prepare_async(key)

        async def create() -> Written:
            options = self._put_options()
            return written_of(await obstore.put_async(self._backend, key, data, mode="create", **options))

        written = await self._do_async(key, create, writing=True)
        await self._settle_async(key)
        return written

    async def write_stream_async(self, key: str, chunks: AsyncIterator[bytes]) -> Written:
        """Write an object from an iterator, in bounded memory.

        If the iterator raises, its error is raised here, no object appears, and no unfinished upload stays
        behind. The same holds when the task is cancelled, which therefore takes until the server has
        confirmed. A killed process can leave an unfinished upload: see `abandoned_uploads` for files, and
        give a bucket a lifecycle rule that aborts incomplete multipart uploads.
        """
        stopping = False
        failure: Exception | None = None

        async def stoppable() -> AsyncIterator[bytes]:
            nonlocal failure
            try:
                async for chunk in chunks:
                    if stopping:
                        raise _Stopped
                    yield chunk
                if stopping:
                    raise _Stopped
            except Exception as error:
                failure = error
                raise

        async def write() -> Written:
            result = await obstore.put_async(
                self._backend,
                key,
                stoppable(),
                use_multipart=True,
                chunk_size=PART_SIZE,
                max_concurrency=PARTS_IN_FLIGHT,
                **self._put_options(),
            )
            return written_of(result)

        await self._prepare_async(key)
        upload = asyncio.ensure_future(write())
        try:
            written = await asyncio.shield(upload)
        except Exception as error:
            if failure is not None:
                raise failure from None
            if isinstance(error, BaseError | OSError):
                raise translated(error, self.location, key, writing=True) from None
            raise
        except asyncio.CancelledError:
            # Cancelling the upload itself would leave its parts in the bucket. Only an error of the iterator
            # makes the library abort it.
            stopping = True
            await asyncio.wait({upload})
            if not upload.cancelled() and upload.exception() is None:
                await self.delete_async(key)
            raise
        await self._settle_async(key)
        return written

    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is fine."""
        with contextlib.suppress(ObjectNotFound):
            self._do(key, lambda: answers.delete(self._backend, self.location, key))

    async def delete_async(self, key: str) -> None:
        """Delete an object; one that is not there is fine."""
        with contextlib.suppress(ObjectNotFound):
            await self._do_async(key, lambda: obstore.delete_async(self._backend, key))

    async def move_async(self, key: str, to: str) -> None:
        """Rename an object within the store, on the server's side. Not atomic on object stores."""
        await self._prepare_async(to)
        await self._do_async(key, lambda: obstore.rename_async(self._backend, key, to))

    def check_writable(self) -> None:
        """Write and delete a probe before any work is done. StoreUnfit where a second write replaces the first."""
        probe = f".write-check-{uuid.uuid4().hex}"
        with contextlib.suppress(ObjectExists):
            for _ in range(2):
                self.create(probe, b"")
            with contextlib.suppress(StorageError):
                self.delete(probe)
            raise no_conditions(self.location)
        self.delete(probe)

    # What a killed writer leaves in a folder. Object stores hide it and clean up by a lifecycle rule.

    def abandoned_uploads(self, before: datetime) -> Iterator[str]:
        """Unfinished files last written before that moment, as keys for `delete_abandoned`."""
        if self.location.scheme != "file":
            return
        root = Path(self.location.prefix)
        for folder, _, names in os.walk(root):
            for name in names:
                path = Path(folder, name)
                with contextlib.suppress(OSError):
                    if local.STAGED_FILE.fullmatch(name) and path.lstat().st_mtime < before.timestamp():
                        yield path.relative_to(root).as_posix()

    def delete_abandoned(self, key: str) -> None:
        """Delete a file that `abandoned_uploads` named."""
        if self.location.scheme == "file" and local.STAGED_FILE.fullmatch(key):
            self._do(key, lambda: Path(self.location.prefix, key).unlink(missing_ok=True))

    def _put_options(self) -> dict[str, Any]:
        return {"attributes": self._attributes} if self._attributes else {}

    def _prepare(self, key: str) -> None:
        """Make the folders of a file, closed to other users before anything lies in them."""
        if self.location.scheme == "file":
            self._do(key, lambda: local.make_folder(Path(self.location.prefix, key).parent), writing=True)

    def _settle(self, key: str) -> None:
        path = Path(self.location.prefix, key)
        if self.location.scheme == "file":
            local.close_file(path)
        if self._durable:
            try:
                local.flush(path)
            except OSError as error:
                raise translated(error, self.location, key) from None

    async def _prepare_async(self, key: str) -> None:
        if self.location.scheme == "file":
            await asyncio.to_thread(self._prepare, key)

    async def _settle_async(self, key: str) -> None:
        if self.location.scheme == "file":
            await asyncio.to_thread(self._settle, key)

    def _do(self, key: str, action: Callable[[], T], *, writing: bool = False) -> T:
        try:
            return action()
        except (BaseError, OSError) as error:
            raise translated(error, self.location, key, writing=writing) from None

    async def _do_async(self, key: str, action: Callable[[], Awaitable[T]], *, writing: bool = False) -> T:
        try:
            return await action()
        except (BaseError, OSError) as error:
            raise translated(error, self.location, key, writing=writing) from None


def _scanned(root: Path, prefix: str) -> Iterator[ObjectInfo]:
    with os.scandir(root / prefix) as entries:
        for entry in entries:
            if local.is_file(Path(entry.path)) and not local.STAGED_FILE.fullmatch(entry.name):
                stat = entry.stat()
                etag = f"{stat.st_ino:x}-{stat.st_mtime_ns // 1000:x}-{stat.st_size:x}"
                modified = datetime.fromtimestamp(stat.st_mtime, UTC)
                key = f"{prefix}/{entry.name}" if prefix else entry.name
                yield ObjectInfo(key, stat.st_size, modified, f'"{etag}"', None)
