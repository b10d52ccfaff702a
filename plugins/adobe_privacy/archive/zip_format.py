"""The records of a ZIP archive.

The format is PKWARE's APPNOTE.TXT; section numbers in this module are its.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import NamedTuple

LOCAL = b"PK\x03\x04"
CENTRAL = b"PK\x01\x02"
END = b"PK\x05\x06"
END64 = b"PK\x06\x06"
LOCATOR64 = b"PK\x06\x07"
DESCRIPTOR = b"PK\x07\x08"
UNICODE_PATH = 0x7075  # 4.6.9, another name that unpackers prefer

LOCAL_HEADER = struct.Struct("<4s5H3L2H")
CENTRAL_HEADER = struct.Struct("<4s6H3L5H2L")
END_RECORD = struct.Struct("<4s4H2LH")
END64_RECORD = struct.Struct("<4sQ2H2L4Q")
LOCATOR64_RECORD = struct.Struct("<4sLQL")
MEMBER = struct.Struct("<16s2HL2Q")

MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF


class PossibleDescriptor(NamedTuple):
    """Places are indices into the data at hand: where the member would end, and what would follow."""

    end: int
    after: int
    crc: int
    compressed: int
    size: int


def possible_descriptors(data: bytes, at: int) -> Iterator[PossibleDescriptor]:
    """What a signature at this place may mean: a descriptor's own, or the next header after a bare one."""
    for layout in (struct.Struct("<L2L"), struct.Struct("<L2Q")):
        if data.startswith(DESCRIPTOR, at):
            after = at + 4 + layout.size
            if data[after : after + 4] in (LOCAL, CENTRAL):
                yield PossibleDescriptor(at, after, *layout.unpack_from(data, at + 4))
        elif at >= layout.size:
            end = at - layout.size
            yield PossibleDescriptor(end, at, *layout.unpack_from(data, end))


def identity(name: bytes, extra: dict[int, bytes]) -> bytes:
    """What two headers must share to name the same member, in 16 bytes."""
    return hashlib.blake2b(name + b"\0" + extra.get(UNICODE_PATH, b""), digest_size=16).digest()


def extra_fields(extra: bytes) -> dict[int, bytes]:
    """Extra fields by their id (4.5). Padding at the end, as alignment tools add, is ignored."""
    fields: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        fields.setdefault(kind, extra[at + 4 : at + 4 + length])
        at += 4 + length
    return fields


def zip64_values(extra: dict[int, bytes], *values: int) -> list[int]:
    """Values in the order of the zip64 field (4.5.3), which holds those that do not fit their header."""
    field = extra.get(1, b"")
    wide = [value for (value,) in struct.iter_unpack("<Q", field[: len(field) // 8 * 8])]
    return [wide.pop(0) if value == MAX32 and wide else value for value in values]
