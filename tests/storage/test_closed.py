"""Nobody else on the machine reads what the product writes, and one odd name hides nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adobe_privacy.archive import archive_job
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.storage import FileOptions, open_store
from tests.archive.jobs import access_job
from tests.archive.results_server import FromMemory
from tests.archive.zips import make_zip, noise


@pytest.fixture(autouse=True)
def generous_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> set[tuple[str, str]]:
    return {
        ("folder" if path.is_dir() else "file", f"{path.stat().st_mode & 0o777:o}")
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("durable", [True, False])
async def test_whatever_the_umask_results_are_for_their_user_only(tmp_path: Path, durable: bool) -> None:
    (tmp_path / "archive").mkdir(mode=0o755)
    store = open_store(f"file://{tmp_path}/archive", FileOptions(durable=durable))
    for number, body in enumerate([make_zip(), make_zip([("a/b.bin", noise(9_000_000))])]):
        await archive_job(store, access_job(f"job-{number}"), FromMemory(body).open)
    store.write("rejected/x/report.jsonl", b"")
    assert modes(tmp_path / "archive") == {("folder", "700"), ("file", "600")}


async def test_a_file_is_closed_while_it_is_being_written(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}")
    seen: set[str] = set()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield noise(9_000_000)
            seen.update(f"{path.stat().st_mode & 0o777:o}" for path in tmp_path.rglob("*") if path.is_dir())

    await store.write_stream_async("jobs/a/result.zip", chunks())
    assert seen == {"700"}


def test_a_new_ledger_and_its_journal_are_for_their_user_only(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/ledger.db"
    with Ledger(url, actor="test") as ledger:
        ledger.overview.counts()
        assert modes(tmp_path) == {("folder", "700"), ("file", "600")}


def test_a_place_that_others_can_read_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        tmp_path.chmod(0o755)
        open_store(f"file://{tmp_path}")
    assert caplog.text.count("open to every user of this machine") == 1


def test_one_odd_name_hides_no_other(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}")
    store.write("jobs/good/a.zip", b"a")
    for name in (b"new\nline", b"\xff.zip", b"tab\t.zip"):
        Path(os.fsdecode(bytes(tmp_path) + b"/jobs/good/" + name)).write_bytes(b"")
    (tmp_path / "jobs/loop").symlink_to(tmp_path / "jobs/loop")
    os.mkfifo(tmp_path / "jobs/good/fifo")
    assert [info.key for info in store.objects("jobs")] == ["jobs/good/a.zip"]
    assert store.folders("jobs") == ["good"]
    assert len(store.odd_names("jobs")) == 5
    assert all(name.isascii() and name.isprintable() for name in store.odd_names("jobs"))
