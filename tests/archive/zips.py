"""Archives for tests, made with Python's own writer."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from collections.abc import Iterator, Sequence

from adobe_privacy.archive import InvalidArchive, ZipCheck

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


def corrupted(good: bytes, count: int) -> Iterator[str | None]:
    """What became of each of `count` random corruptions: None where it was refused, `accepted` where it was
    believed though it matters, else the header field that holds nothing which is promised."""
    meant = members_of(good)
    assert meant is not None
    dice = random.Random(20261122)
    for number in range(count):
        how = ("bit flip", "byte", "cut off", "cut out", "insert", "splice")[number % 6]
        bad = corrupt(good, how, dice)
        if bad == good:
            continue
        check, piece = ZipCheck(), dice.choice([len(bad) or 1, 64, 4096])
        try:
            for at in range(0, len(bad), piece):
                check.feed(bad[at : at + piece])
            check.finish()
        except InvalidArchive:
            yield None
            continue
        fields = {
            harmless_field(good, at) for at in range(len(good)) if bad[at : at + 1] != good[at : at + 1]
        }
        matters = len(bad) != len(good) or members_of(bad) != meant or "other" in fields
        yield "accepted" if matters else " and ".join(sorted(fields))


def members_of(data: bytes) -> list[tuple[str, int, bytes]] | None:
    """Names, sizes and bytes as Python's own reader sees them; None where it cannot read them."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(info.filename, info.file_size, archive.read(info)) for info in archive.infolist()]
    except Exception:
        return None


def corrupt(data: bytes, how: str, dice: random.Random) -> bytes:
    at = dice.randrange(len(data))
    length = dice.randrange(1, 200)
    if how == "bit flip":
        return data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
    if how == "byte":
        return data[:at] + bytes([data[at] ^ dice.randrange(1, 256)]) + data[at + 1 :]
    if how == "cut off":
        return data[:at]
    if how == "cut out":
        return data[:at] + data[at + length :]
    if how == "insert":
        return data[:at] + dice.randbytes(length) + data[at:]
    source = dice.randrange(len(data))
    return data[:at] + data[source : source + length] + data[at + length :]


def harmless_field(data: bytes, at: int) -> str:
    """The header field a byte lies in, if it is one that says nothing about names, sizes, bytes or places."""
    local = {4: "version", 5: "version", 10: "time", 11: "time", 12: "time", 13: "time"}
    central = {4: "version", 5: "version", 6: "version", 7: "version"}
    central |= dict.fromkeys(range(12, 16), "time") | dict.fromkeys(range(36, 42), "attributes")
    start = data.rfind(b"PK\3\4", 0, at + 1)
    directory = data.index(b"PK\1\2")
    if at >= directory:
        start = data.rfind(b"PK\1\2", 0, at + 1)
        return central.get(at - start, "other")
    name_length, extra_length = struct.unpack_from("<2H", data, start + 26)
    if 30 + name_length <= at - start < 30 + name_length + extra_length:
        return "extra"
    if data[start + 6] & 8 and 14 <= at - start < 26:
        return "size beside a descriptor"
    return local.get(at - start, "deflate padding" if at - start > 30 else "other")
