"""What a folder on disk needs: closed files, and listings that survive odd names."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from adobe_privacy.plain_text import plain_logger

log = plain_logger(__name__)

CLOSED_FOLDER, CLOSED_FILE = 0o700, 0o600
FOLDER, LINK = "a folder", "a link to a folder"
STAGED_FILE = re.compile(r"(?P<name>.+)#\d+")

_warned: set[str] = set()


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; each one that is made is closed to other users, whatever the umask."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        with contextlib.suppress(FileExistsError):
            each.mkdir(mode=CLOSED_FOLDER)
            each.chmod(CLOSED_FOLDER)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes out that lock the same folder, until the end of the block or of the process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def close_file(path: Path) -> None:
    """Let nobody but its user read a file. One that is gone, or another's, stays as it is."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        path.chmod(CLOSED_FILE)


def warn_if_open(path: Path, what: str) -> None:
    """Say once in a process that other users of the machine can read a place with personal data."""
    with contextlib.suppress(OSError):
        if path.stat().st_mode & 0o007 and str(path) not in _warned:
            _warned.add(str(path))
            log.warning(
                "%s %s is open to every user of this machine: take their rights away (chmod o-rwx)",
                what,
                path,
            )


def walk(root: Path, prefix: str, odd: list[str]) -> Iterator[tuple[str, os.stat_result, datetime]]:
    """The regular files below `prefix` with keys that a store can have; what else is there is added to `odd`."""
    folders = [root / prefix if prefix else root]
    while folders:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                try:
                    if not is_plain(entry.name):
                        odd.append(ascii(Path(entry.path).relative_to(root).as_posix()))
                    elif entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    elif not entry.is_file(follow_symlinks=False):
                        odd.append(ascii(Path(entry.path).relative_to(root).as_posix()))
                    elif not STAGED_FILE.fullmatch(entry.name):
                        found = entry.stat()
                        when = datetime.fromtimestamp(found.st_mtime, UTC)
                        yield Path(entry.path).relative_to(root).as_posix(), found, when
                except (FileNotFoundError, ValueError, OverflowError):
                    odd.append(ascii(entry.name))


def is_file(path: Path) -> bool:
    """Whether a regular file lies there, or a link to one. Opening anything else might never end."""
    return path.is_file()


def not_files(folder: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    """What lies in a folder and is no file, and what it is: folders, pipes, sockets, devices, links to them or to
    nothing."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            try:
                mode = entry.stat().st_mode
            except OSError:
                yield entry, "a link that leads to nothing"
                continue
            if stat.S_ISDIR(mode) and entry.is_symlink():
                yield entry, LINK
            elif not stat.S_ISREG(mode):
                yield entry, _WHAT.get(stat.S_IFMT(mode), "no file")


_WHAT = {
    stat.S_IFDIR: FOLDER,
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def is_plain(name: str) -> bool:
    """Whether a name can be a part of a key: text, without control characters."""
    return name.isprintable() and not any("\ud800" <= letter <= "\udfff" for letter in name)


def folders(path: Path) -> list[str]:
    """The names of the folders in one, sorted, without links and odd names; none where it is missing."""
    try:
        with os.scandir(path) as entries:
            return sorted(
                each.name for each in entries if is_plain(each.name) and each.is_dir(follow_symlinks=False)
            )
    except (FileNotFoundError, NotADirectoryError):
        return []


def flush(path: Path) -> None:
    """Wait until the disk has a file and its name, so that a power cut cannot undo what was reported done."""
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
