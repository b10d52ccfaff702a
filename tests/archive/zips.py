"""Archives for tests, made with Python's own writer."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Sequence

Members = Sequence[tuple[str, bytes]]

RESULT: Members = [
    ("result/", b""),
    ("result/Analytics/", b""),
    ("result/Analytics/hits.csv", b"hit,page\n" + b"1,home\n2,cart\n" * 500),
    ("result/Profile/profile.json", b'{"privacyResponse": {"response": []}}'),
    ("result/Profile/empty.json", b""),
]


class _Pipe(io.RawIOBase):
    """A target that cannot seek, which makes the writer use data descriptors."""

    def __init__(self) -> None:
        self.written = io.BytesIO()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self.written.write(data)


def make_zip(
    members: Members = RESULT,
    *,
    streamed: bool = False,
    stored: bool = False,
    zip64: bool = False,
    comment: bytes = b"",
) -> bytes:
    pipe, file = _Pipe(), io.BytesIO()
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(pipe if streamed else file, "w", method) as archive:
        archive.comment = comment
        for name, data in members:
            info = zipfile.ZipInfo(name, date_time=(2026, 11, 20, 9, 30, 0))
            info.compress_type = method
            with archive.open(info, "w", force_zip64=zip64) as member:
                member.write(data)
    return (pipe.written if streamed else file).getvalue()


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)
