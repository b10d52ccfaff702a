"""Large results are read in large pieces."""

from __future__ import annotations

import httpcore

import adobe_privacy.api.transport  # noqa: F401


def test_the_place_where_the_library_keeps_the_size_of_a_read_is_still_there() -> None:
    """Undocumented: should a later version have it elsewhere, downloads work as before, for more CPU."""
    assert httpcore.AsyncHTTP11Connection.READ_NUM_BYTES == 256 * 1024
