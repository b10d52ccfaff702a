"""The PostgreSQL server of `make`: it changes nothing outside the clone, and says so where it cannot run."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import psycopg
import pytest

from scripts.postgres import open_way, postgres_server


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server needs another user")
def test_roots_server_adds_no_user_and_opens_its_own_folders_alone() -> None:
    users, above = Path("/etc/passwd").read_bytes(), mode(Path("/tmp"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name) / "closed" / "home"
        folder.mkdir(parents=True, mode=0o700)
        server = postgres_server(folder / "postgres")
        try:
            with psycopg.connect(server.get_uri()) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            assert Path(f"/proc/{server.get_pid()}").owner() == "nobody"
            assert mode(folder) & 0o066 == 0  # to be entered, not to be read
        finally:
            server.cleanup()
    assert Path("/etc/passwd").read_bytes() == users
    assert mode(Path("/tmp")) == above


def test_a_folder_outside_is_not_opened(tmp_path: Path) -> None:
    clone = tmp_path / "home of root" / "clone"
    clone.mkdir(parents=True)
    clone.parent.chmod(0o700)
    clone.chmod(0o700)
    with pytest.raises(PermissionError, match="home of root lets no other user in: run make as another user"):
        open_way(clone / "postgres", ours=(clone,))
    assert mode(clone.parent) == 0o700


def test_a_folder_that_lets_others_through_stays_as_it_is(tmp_path: Path) -> None:
    clone = tmp_path / "home" / "clone"
    clone.mkdir(parents=True)
    clone.parent.chmod(0o711)
    clone.chmod(0o700)
    open_way(clone / "postgres", ours=(clone, Path(tempfile.gettempdir())))
    assert mode(clone.parent) == 0o711
    assert mode(clone) == 0o711
