"""Results that only the holder of a key can open, each encrypted with a data key of its own.

The format is age (age-encryption.org/v1), by the library pyrage: an authenticated stream that any age tool opens.
A result is encrypted to its data key, and the data key is kept wrapped, as an object of its own: destroying that
object destroys every copy of the result, wherever copies of it lie.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import pyrage
from pyrage import x25519

from adobe_privacy import quiet_logs
from adobe_privacy.archive.errors import ArchiveError, CannotOpen
from adobe_privacy.storage import Store

T = TypeVar("T")

FORMAT: Literal["age-encryption.org/v1"] = "age-encryption.org/v1"
SUFFIX = ".age"
BLOCK_SIZE = 2 * 1024 * 1024


@dataclass(frozen=True)
class DataKey:
    """The key of one result: whoever has it can open that result and no other. Not shown in a repr."""

    _identity: Any = field(repr=False)

    @classmethod
    def generate(cls) -> DataKey:
        return cls(x25519.Identity.generate())

    @classmethod
    def from_bytes(cls, data: bytes) -> DataKey:
        """Raises `CannotOpen`."""
        try:
            return cls(x25519.Identity.from_str(data.decode("ascii").strip()))
        except (pyrage.IdentityError, UnicodeDecodeError):
            raise CannotOpen("what was unwrapped is no data key of ours") from None

    def to_bytes(self) -> bytes:
        return str(self._identity).encode()

    def seal(self, data: bytes) -> bytes:
        """All of a small result."""
        return bytes(pyrage.encrypt(data, [self._identity.to_public()]))

    def open(self, chunks: Iterator[bytes], write: Callable[[bytes], object]) -> None:
        """Decrypt a stream piece by piece. Raises `CannotOpen` at the first piece that is not as it was sealed,
        the end of a stream that was cut off included; what was written until then is not to be believed."""
        reader, writer = _Reader(chunks), _Writer(write)
        try:
            pyrage.decrypt_io(reader, writer, [self._identity])
        except (pyrage.DecryptError, OSError):
            # The library repeats what came from outside as text only, and calls a bad piece an OSError.
            if (failure := reader.failure or writer.failure) is not None:
                raise failure from None
            raise CannotOpen("its bytes are not those that were encrypted, or its key is another's") from None

    def sealing(self, blocks: AsyncIterator[bytes]) -> Sealing:
        """A large result, as it passes by."""
        return Sealing(blocks, self._identity.to_public())


class KeyWrapper(Protocol):
    """What data keys are wrapped with."""

    @property
    def name(self) -> str:
        """Says in a manifest which key it was; no secret."""
        ...

    def wrap(self, data_key: DataKey) -> bytes:
        """Raises `ArchiveError`."""
        ...

    def unwrap(self, wrapped: bytes) -> DataKey:
        """Raises `CannotOpen`."""
        ...


class AgeKeys:
    """Wraps for age recipients (public keys); unwraps with any of the identities (secret keys) given.

    Raises ValueError where one is not of that form, without repeating it.
    """

    def __init__(self, recipients: tuple[str, ...] = (), identities: tuple[str, ...] = ()) -> None:
        try:
            self._identities = [x25519.Identity.from_str(text) for text in identities]
        except pyrage.IdentityError:
            raise ValueError("an identity must be like AGE-SECRET-KEY-1…, as age-keygen writes it") from None
        names = recipients or tuple(str(identity.to_public()) for identity in self._identities)
        try:
            self._recipients = [x25519.Recipient.from_str(text) for text in names]
        except pyrage.RecipientError:
            raise ValueError("a recipient must be like age1…, as age-keygen writes it") from None
        if not names:
            raise ValueError("give a recipient (age1…) or an identity (AGE-SECRET-KEY-1…)")
        self.name = ", ".join(names)

    @property
    def can_unwrap(self) -> bool:
        return bool(self._identities)

    def wrap(self, data_key: DataKey) -> bytes:
        return bytes(pyrage.encrypt(data_key.to_bytes(), self._recipients))

    def unwrap(self, wrapped: bytes) -> DataKey:
        if not self._identities:
            raise CannotOpen("only the public key is here; opening needs the secret one")
        try:
            return DataKey.from_bytes(bytes(pyrage.decrypt(wrapped, self._identities)))
        except pyrage.DecryptError:
            raise CannotOpen("its data key was wrapped for another key than the one given") from None


class KmsKey:
    """Wraps with a symmetric key of AWS KMS, which never leaves it; `client` is boto3's for kms.

    Unwrapping needs no `key_id`: KMS finds it in what was wrapped.
    """

    def __init__(self, client: Any, key_id: str | None = None) -> None:
        self._client, self._key_id = client, key_id
        self.name = f"aws-kms:{key_id}"

    def wrap(self, data_key: DataKey) -> bytes:
        answer = self._call("encrypt", ArchiveError, KeyId=self._key_id, Plaintext=data_key.to_bytes())
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes) -> DataKey:
        return DataKey.from_bytes(self._call("decrypt", CannotOpen, CiphertextBlob=wrapped)["Plaintext"])

    def _call(self, name: str, problem: type[ArchiveError], **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        quiet_logs.install(*quiet_logs.AWS)
        try:
            # At DEBUG botocore would log the data key itself.
            with quiet_logs.quiet():
                return getattr(self._client, name)(**arguments)
        except ClientError as error:
            answer = error.response.get("Error", {}).get("Code", "no code")
        except BotoCoreError as error:
            answer = type(error).__name__
        raise problem(f"AWS KMS did not {name} a data key ({answer}): check the key and the permissions")


@dataclass(frozen=True)
class Encryption:
    """How results are encrypted. `keys` is where the wrapped data keys lie; beside the manifests where it is
    None. A place of its own keeps them out of the archive's backups and versions."""

    wrapper: KeyWrapper
    keys: Store | None = None


class Sealing:
    """Encrypts blocks while they pass by, on a thread of its own; `size` and `sha256` are the ciphertext's.

    The library pulls what it encrypts, so its thread asks the event loop for each block, and hands the result
    back to it. Memory: two blocks each way.
    """

    def __init__(self, blocks: AsyncIterator[bytes], recipient: Any) -> None:
        self.size = 0
        self._digest = hashlib.sha256()
        self._blocks = blocks
        self._recipient = recipient
        self._loop = asyncio.get_running_loop()
        self._sealed: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._lock = threading.Lock()
        self._under_way: Future[Any] | None = None
        self._closed = False
        self._failure: BaseException | None = None

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def passing(self) -> AsyncGenerator[bytes, None]:
        """The ciphertext. What the blocks raise is raised here."""
        with ThreadPoolExecutor(1, thread_name_prefix="seal") as pool:
            thread = self._loop.run_in_executor(pool, self._seal)
            try:
                while (block := await self._sealed.get()) is not None:
                    yield block
                await thread
            finally:
                self._close()
                with suppress(Exception):
                    await thread
        if self._failure is not None:
            raise self._failure

    def _seal(self) -> None:
        buffer = bytearray()

        def write(data: bytes) -> None:
            buffer.extend(data)
            if len(buffer) >= BLOCK_SIZE:
                self._hand_over(bytes(buffer))
                buffer.clear()

        try:
            pyrage.encrypt_io(_Reader(iter(self._pull, b"")), _Writer(write), [self._recipient])
            if buffer:
                self._hand_over(bytes(buffer))
        except BaseException as error:
            # The library repeats what the reader raised as text only.
            self._failure = self._failure or error
        with suppress(BaseException):
            self._on_loop(self._sealed.put(None))

    def _pull(self) -> bytes:
        async def following() -> bytes:
            return await anext(self._blocks, b"")

        try:
            return self._on_loop(following())
        except BaseException as error:
            self._failure = error
            raise

    def _hand_over(self, block: bytes) -> None:
        self._digest.update(block)
        self.size += len(block)
        self._on_loop(self._sealed.put(block))

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            if self._closed:
                work.close()
                raise InterruptedError
            self._under_way = future = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result()

    def _close(self) -> None:
        with self._lock:
            self._closed = True
            if self._under_way is not None:
                self._under_way.cancel()


class _Reader:
    """Pieces of any size as the file that the library reads."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")
        self.failure: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        while not self._piece:
            try:
                piece = next(self._pieces, None)
            except Exception as error:
                self.failure = error
                raise
            if piece is None:
                return b""
            self._piece = memoryview(piece)
        taken, self._piece = self._piece[:size], self._piece[size:]
        return bytes(taken)


class _Writer:
    """A function as the file that the library writes to."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self.failure: Exception | None = None

    def write(self, data: bytes) -> int:
        try:
            self._write(bytes(data))
        except Exception as error:
            self.failure = error
            raise
        return len(data)

    def flush(self) -> None: ...
