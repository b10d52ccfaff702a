"""Faults while jobs are archived, and what is counted afterwards.

Everything is real: the simulator in Adobe's place, its faults, a ledger, store servers, and processes that end by
SIGKILL. What strikes in a process is wrapped around the product there; the product knows nothing of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import resource
import signal
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyrage

from adobe_privacy.api.client import ClientConfig, Download, PrivacyServiceClient
from adobe_privacy.archive import AgeKeys, ArchiveSettings, Encryption, iter_manifests
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.others import OthersJob
from adobe_privacy.ledger.states import JobState
from adobe_privacy.results.completion import Completion, complete_jobs
from adobe_privacy.storage import Store, StoreOptions, open_store
from tests.archive.proxy import proxy
from tests.storage.servers import GCSServer
from tests.support.simulator import Simulator

MEGABYTE = 1_000_000
# Bytes of a result: more than one block, and more than one part of an upload.
SMALL, LARGE = 3 * MEGABYTE, 10 * MEGABYTE
OWNER = pyrage.x25519.Identity.generate()

BODIES = (
    "zero_bytes",
    "json_error_200",
    "cut_body",
    "padded_body",
    "wrong_crc",
    "bit_flip",
    "understated_size",
    "zip_slip",
    "closed_early",
    "reset",
    "chunk_broken",
)
KILLS = ("killed during the download", "killed before the manifest", "killed after the manifest")
KILL_BEFORE_KEY = "killed before the data key"
FULL = "no space left"
CUT = "connection to the store cut"
ANSWER_LOST = "answer to the manifest lost"
BLOWS = (FULL, CUT, ANSWER_LOST, *KILLS, KILL_BEFORE_KEY)


@dataclass(frozen=True)
class Shelf:
    """A store under trial. `recipient` encrypts what is put there."""

    name: str
    uri: str
    options: StoreOptions | None
    recipient: str | None = None

    def store(self, endpoint: str | None = None, **changes: Any) -> Store:
        """The store; through a proxy at `endpoint` where one is given."""
        options = self.options
        if endpoint is not None:
            assert options is not None
            if self.uri.startswith("gs:"):
                options = GCSServer(endpoint).options
            options = replace(options, endpoint=endpoint, **changes)  # type: ignore[arg-type]
        return open_store(self.uri, options)

    @property
    def settings(self) -> ArchiveSettings:
        if self.recipient is None:
            return ArchiveSettings()
        return ArchiveSettings(encryption=Encryption(AgeKeys((self.recipient,))))


@dataclass(frozen=True)
class Outcome:
    """What one fault did to one store: manifests that name bytes which are not the result's, results lost."""

    fault: str
    store: str
    bad: int
    lost: int
    struck: bool


@dataclass(frozen=True)
class Trial:
    """Jobs on one shelf, and the ledger that knows them. Survives pickling, so that it can go to a process."""

    shelf: Shelf
    client: ClientConfig
    ledger_url: str
    jobs: dict[str, str]
    """Adobe's job id by the fault that it is to suffer."""
    truths: dict[str, str] = field(default_factory=dict)

    def complete(self, job_ids: Sequence[str], store: Store | None = None) -> Completion:
        return asyncio.run(self.acomplete(job_ids, store))

    async def acomplete(self, job_ids: Sequence[str], store: Store | None = None) -> Completion:
        with Ledger(self.ledger_url, actor="trial") as ledger:
            async with PrivacyServiceClient(self.client) as client:
                return await complete_jobs(
                    ledger.others.jobs_at_adobe(job_ids, JobState.SUBMITTED, JobState.COMPLETE),
                    ledger=ledger,
                    archive=store or self.shelf.store(),
                    client=client,
                    settings=self.shelf.settings,
                )

    def through_a_failing_proxy(self, job_id: str, fault: str) -> bool:
        """One try; says whether the fault struck."""

        async def trying() -> bool:
            endpoint = self.shelf.options.endpoint  # type: ignore[union-attr]
            assert endpoint is not None
            async with proxy(endpoint, fault) as between:
                repeats = 2 if fault == "answer lost" else 0
                store = self.shelf.store(between.endpoint, max_retries=repeats)
                # What the proxy does to the probe is not what is tried here.
                with patch.object(Store, "check_writable"):
                    completion = await self.acomplete([job_id], store)
                if fault == "answer lost":
                    assert completion.archived == 1
                return between.struck > 0

        return asyncio.run(trying())

    async def truth(self, job_id: str) -> str:
        """The hash of what Adobe holds."""
        async with PrivacyServiceClient(self.client) as client, client.download(job_id) as download:
            digest = hashlib.sha256()
            async for chunk in download.chunks():
                digest.update(chunk)
            return digest.hexdigest()

    def judge(self, job_ids: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
        """By job: manifests naming bytes that are not the result's or no good ZIP, and results without one."""
        store = self.shelf.store()
        manifests = {manifest.job_id: manifest for _, manifest in iter_manifests(store)}
        bad, lost = dict.fromkeys(job_ids, 0), dict.fromkeys(job_ids, 0)
        for job_id in job_ids:
            manifest = manifests.get(job_id)
            if manifest is None:
                lost[job_id] = 1
                continue
            named = store.read(str(manifest.object_key))
            if manifest.sealed is not None:
                data_key = pyrage.decrypt(store.read(str(manifest.data_key)), [OWNER]).decode()
                named = pyrage.decrypt(named, [pyrage.x25519.Identity.from_str(data_key)])
            if job_id not in self.truths:
                self.truths[job_id] = asyncio.run(self.truth(job_id))
            hashes = {hashlib.sha256(named).hexdigest(), manifest.sha256, self.truths[job_id]}
            bad[job_id] = int(len(hashes) > 1 or not _whole(named))
        return bad, lost


def new_trial(simulator: Simulator, shelf: Shelf, folder: Path, faults: Sequence[str]) -> Trial:
    """A finished access job for each fault."""
    made = {fault: simulator.create_jobs(key=f"{shelf.name} {fault}")[0] for fault in faults}
    config = ClientConfig(
        simulator.client_id,
        simulator.client_secret,
        simulator.org_id,
        base_url=simulator.api_url,
        token_url=simulator.token_url,
        timeout=10,
        retry_attempts=1,
    )
    url = f"sqlite:///{folder / shelf.name.replace(' ', '-')}.db"
    now = datetime.now(UTC)
    with Ledger(url, actor="trial") as ledger:
        ledger.others.register(
            [OthersJob(each, "gdpr", "access", now, date(2027, 1, 1), None) for each in made.values()]
        )
    return Trial(shelf, config, url, made)


def _whole(data: bytes) -> bool:
    try:
        return zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    except zipfile.BadZipFile:
        return False


# In a process of its own


def run_and_be_killed(trial: Trial, job_id: str, fault: str) -> None:
    """Archives the job and kills this process at the place that the fault names."""
    if fault == "killed during the download":
        _wrap_download()
    else:
        _wrap_store(fault)
    trial.complete([job_id])


def run_on_a_full_disk(trial: Trial, job_id: str) -> None:
    """As where a quota is used up: no file may become larger than 2 MB."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MEGABYTE, 2 * MEGABYTE))
    completion = trial.complete([job_id])
    assert len(completion.failures) == 1, completion
    assert "free some space" in completion.failures[0]


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _wrap_download() -> None:
    chunks = Download.chunks

    async def until_killed(self: Download) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in chunks(self):
            received += len(chunk)
            yield chunk
            if received > 0.95 * LARGE:
                _kill()

    patch.object(Download, "chunks", until_killed).start()


def _wrap_store(fault: str) -> None:
    create, write = Store.create_async, Store.write_async

    async def creating(self: Store, key: str, data: bytes) -> Any:
        if fault == "killed before the manifest":
            _kill()
        written = await create(self, key, data)
        if fault == "killed after the manifest":
            _kill()
        return written

    async def writing(self: Store, key: str, data: bytes) -> Any:
        if fault == KILL_BEFORE_KEY and key.endswith(".key"):
            _kill()
        return await write(self, key, data)

    patch.object(Store, "create_async", creating).start()
    patch.object(Store, "write_async", writing).start()
