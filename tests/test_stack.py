"""Two stacks of this repository at once: neither takes what is the other's."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.stack import Stack, StackError


def stack(home: Path, port: int) -> Stack:
    return Stack(home, home / "data", port=port, say=lambda _: None)


def test_two_that_start_together_have_a_port_each(tmp_path: Path) -> None:
    """Neither listens yet."""
    one = stack(tmp_path / "one", 18900)
    other = stack(tmp_path / "other", one.port)
    try:
        assert one.port != other.port
        assert one.url != other.url
    finally:
        one.stop()
        other.stop()


def test_a_port_is_free_again_once_its_stack_is_stopped(tmp_path: Path) -> None:
    one = stack(tmp_path / "one", 18920)
    one.stop()
    other = stack(tmp_path / "other", one.port)
    try:
        assert other.port == one.port
        with pytest.raises(StackError, match=f"port {one.port} is taken"):
            one.start()
    finally:
        other.stop()
        one.stop()
