"""Results: the ZIP of an access job, the same bytes for the same job, and its hostile or broken relatives.

An archive is kept as runs (a block of bytes and how often it is repeated), so that a result of many GiB costs
no memory and hardly any time to make.
"""

from __future__ import annotations

import csv
import io
import json
import random
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from isal import isal_zlib

from simulator_catalogue import PRODUCTS
from simulator_jobs import Job
from simulator_switches import Switches

Run = tuple[bytes, int]

STORED, DEFLATED = 0, 8
_BLOCK = 1 << 20
_END_OF_DEFLATE = b"\x03\x00"
# Products that answer with an empty folder: legitimate, as Adobe's best practices say.
_WITHOUT_FILES = frozenset({"target", "adCloud"})
_UINT32_MAX = 0xFFFFFFFF
# 2026-01-01 00:00 in the form of MS-DOS, the same in every archive.
_DOS_TIME, _DOS_DATE = 0, (46 << 9) | (1 << 5) | 1


@dataclass(frozen=True)
class Member:
    """One entry, with what its headers say; a hostile one may say something untrue."""

    name: str
    runs: tuple[Run, ...]
    compressed_size: int
    size: int
    crc: int
    method: int = STORED
    unix_mode: int = 0o100644
    descriptor: bool = False
    zip64: bool = False


@dataclass(frozen=True)
class Archive:
    runs: tuple[Run, ...]

    @property
    def length(self) -> int:
        return length_of(self.runs)

    def blocks(self) -> Iterator[bytes]:
        return blocks_of(self.runs)


def length_of(runs: Iterable[Run]) -> int:
    return sum(len(block) * times for block, times in runs)


def blocks_of(runs: Iterable[Run]) -> Iterator[bytes]:
    for block, times in runs:
        for _ in range(times):
            yield block


def stored(name: str, data: bytes) -> Member:
    return Member(name, ((data, 1),), len(data), len(data), zlib.crc32(data))


def deflated(name: str, data: bytes) -> Member:
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = compressor.compress(data) + compressor.flush()
    return Member(name, ((packed, 1),), len(packed), len(data), zlib.crc32(data), method=DEFLATED)


def folder(name: str) -> Member:
    return Member(name.rstrip("/") + "/", (), 0, 0, 0, unix_mode=0o040755)


def filler(name: str, wanted: int, compression: str) -> Member:
    """A member of `wanted` bytes as stored, or about as many after deflation."""
    if compression == "stored":
        block = _random_block()
        runs = tuple(
            run for run in ((block, wanted // _BLOCK), (block[: wanted % _BLOCK], 1)) if len(run[0]) * run[1]
        )
        return Member(name, runs, wanted, wanted, _crc_of_runs(runs))
    packed = _deflated_block(_text_block())
    whole, rest = divmod(wanted, len(packed))
    plain_rest = _text_block()[: int(rest * _BLOCK / len(packed))]
    plain_runs: tuple[Run, ...] = ((_text_block(), whole), (plain_rest, 1))
    packed_runs: tuple[Run, ...] = ((packed, whole), (_deflated_block(plain_rest), 1), (_END_OF_DEFLATE, 1))
    return Member(
        name,
        packed_runs,
        length_of(packed_runs),
        length_of(plain_runs),
        _crc_of_runs(plain_runs),
        method=DEFLATED,
    )


def zeros(name: str, size: int) -> Member:
    """A bomb: `size` zero bytes deflated about a thousandfold."""
    plain: tuple[Run, ...] = ((bytes(_BLOCK), size // _BLOCK), (bytes(size % _BLOCK), 1))
    packed: tuple[Run, ...] = tuple((_deflated_block(block, level=9), times) for block, times in plain)
    packed += ((_END_OF_DEFLATE, 1),)
    return Member(name, packed, length_of(packed), length_of(plain), _crc_of_runs(plain), method=DEFLATED)


@lru_cache(maxsize=1)
def _random_block() -> bytes:
    return random.Random("filler").randbytes(_BLOCK)


@lru_cache(maxsize=1)
def _text_block() -> bytes:
    """CSV-like text that deflates to about half."""
    return random.Random("filler").randbytes(_BLOCK // 2).hex().encode()


@lru_cache(maxsize=64)
def _deflated_block(block: bytes, level: int = 1) -> bytes:
    """Deflated on its own and byte aligned (full flush), so that any number of such blocks may follow."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    return compressor.compress(block) + compressor.flush(zlib.Z_FULL_FLUSH)


@lru_cache(maxsize=64)
def _crc_of_runs(runs: tuple[Run, ...]) -> int:
    crc = 0
    for block in blocks_of(runs):
        crc = isal_zlib.crc32(block, crc)
    return crc


def assemble(members: Iterable[Member]) -> Archive:
    """Local headers, data and central directory, with 64-bit records where a number needs them."""
    runs: list[Run] = []
    directory: list[bytes] = []
    offset = 0
    for member in members:
        header = _local_header(member)
        tail = _descriptor(member)
        runs += [(header, 1), *member.runs, (tail, 1)]
        directory.append(_directory_entry(member, offset))
        offset += len(header) + length_of(member.runs) + len(tail)
    central = b"".join(directory)
    runs += [(central, 1), (_end_of_directory(len(directory), len(central), offset), 1)]
    return Archive(tuple((block, times) for block, times in runs if block and times))


def _is_wide(member: Member) -> bool:
    return member.zip64 or max(member.size, member.compressed_size) >= _UINT32_MAX


def _common_fields(member: Member, *, sizes_known: bool) -> bytes:
    crc, packed, size = (member.crc, member.compressed_size, member.size) if sizes_known else (0, 0, 0)
    if _is_wide(member):
        packed = size = _UINT32_MAX
    flags = 0x800 | (0x8 if member.descriptor else 0)
    version = 45 if _is_wide(member) else 20
    return struct.pack("<HHHHHIII", version, flags, member.method, _DOS_TIME, _DOS_DATE, crc, packed, size)


def _local_header(member: Member) -> bytes:
    name = member.name.encode()
    extra = b""
    if _is_wide(member):
        sizes = (0, 0) if member.descriptor else (member.size, member.compressed_size)
        extra = struct.pack("<HHQQ", 1, 16, *sizes)
    fields = _common_fields(member, sizes_known=not member.descriptor)
    return b"PK\x03\x04" + fields + struct.pack("<HH", len(name), len(extra)) + name + extra


def _descriptor(member: Member) -> bytes:
    if not member.descriptor:
        return b""
    form = "<IQQ" if _is_wide(member) else "<III"
    return b"PK\x07\x08" + struct.pack(form, member.crc, member.compressed_size, member.size)


def _directory_entry(member: Member, offset: int) -> bytes:
    name = member.name.encode()
    wide = [member.size, member.compressed_size] if _is_wide(member) else []
    if offset >= _UINT32_MAX:
        wide.append(offset)
    extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    made_by_unix = (3 << 8) | 45
    return (
        b"PK\x01\x02"
        + struct.pack("<H", made_by_unix)
        + _common_fields(member, sizes_known=True)
        + struct.pack(
            "<HHHHHII", len(name), len(extra), 0, 0, 0, member.unix_mode << 16, min(offset, _UINT32_MAX)
        )
        + name
        + extra
    )


def _end_of_directory(count: int, size: int, offset: int) -> bytes:
    wide = b""
    if count >= 0xFFFF or offset >= _UINT32_MAX or size >= _UINT32_MAX:
        record = struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, offset)
        wide = b"PK\x06\x06" + record + b"PK\x06\x07" + struct.pack("<IQI", 0, offset + size, 1)
    few, small, near = min(count, 0xFFFF), min(size, _UINT32_MAX), min(offset, _UINT32_MAX)
    return wide + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, few, few, small, near, 0)


def archive_of(
    job: Job, switches: Switches, *, now: float, broken: str | None = None, amount: int | None = None
) -> Archive:
    """The result of an access job, with what has been answered by `now`.

    `broken` is an archive fault (see `simulator_faults`), `amount` its size or count. May take a second of
    CPU for a result of many GiB: call it in a thread.
    """
    members = [] if switches.archive_variant == "empty" else list(_members_of(job, now))
    if switches.result_bytes:
        name = f"{members[0].name.split('/')[0] if members else 'results'}/{job.job_id}_part-0001.csv"
        members.append(filler(name, switches.result_bytes, switches.result_compression))
    if switches.archive_variant == "data_descriptors":
        members = [replace(member, descriptor=not member.name.endswith("/")) for member in members]
    if switches.archive_variant == "zip64":
        members = [replace(member, zip64=True) for member in members]
    if switches.archive_top_folder:
        members = [replace(member, name=f"{job.job_id}/{member.name}") for member in members]
    if broken is not None:
        members = _broken(broken, members, amount)
    archive = assemble(members)
    return _with_flipped_bit(archive) if broken == "bit_flip" else archive


def _members_of(job: Job, now: float) -> Iterator[Member]:
    for answer in job.products:
        if answer.silent or now < answer.answered_at:
            continue
        product = answer.product
        if product in _WITHOUT_FILES or answer.code not in ("6000-200", "6054-200"):
            yield folder(product)
        elif product == "analytics":
            yield deflated(f"{product}/{job.job_id}_person.csv", _hits(job))
            yield deflated(f"{product}/{job.job_id}_person_summary.html", _summary(job))
        else:
            yield deflated(f"{product}/{job.job_id}_{product}.json", _document(job, product))


def _hits(job: Job) -> bytes:
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(["hit_id", "hit_time_gmt", "identity_namespace", "identity_value", "page_url"])
    draw = random.Random(f"hits of {job.job_id}")
    for identity in job.identities:
        for _ in range(20):
            hit = (f"{draw.getrandbits(64):016x}", int(job.created_at) - draw.randrange(30 * 86_400))
            page = f"https://www.example.com/page/{draw.randrange(500)}"
            rows.writerow([*hit, identity.get("namespace"), identity.get("value"), page])
    return text.getvalue().encode()


def _summary(job: Job) -> bytes:
    rows = "".join(f"<tr><td>{identity.get('namespace')}</td><td>20</td></tr>" for identity in job.identities)
    header = "<tr><th>identity</th><th>hits</th></tr>"
    return f"<!doctype html><title>Summary</title><table>{header}{rows}</table>".encode()


def _document(job: Job, product: str) -> bytes:
    identities = [{"namespace": each.get("namespace"), "value": each.get("value")} for each in job.identities]
    result = {"userKey": job.key, "identities": identities, "product": PRODUCTS[product]}
    if product == "profileService":
        response = [{"sandbox": "prod", "mergePolicyId": "none", "result": result}]
        return json.dumps({"privacyResponse": {"jobId": job.job_id, "response": response}}, indent=1).encode()
    return json.dumps({"jobId": job.job_id, "result": result}, indent=1).encode()


def _broken(kind: str, members: list[Member], amount: int | None) -> list[Member]:
    small = b"not what it seems\n"
    first = next((member for member in members if member.runs), stored("data.txt", small))
    match kind:
        case "wrong_crc":
            return [replace(first, crc=first.crc ^ 1), *(member for member in members if member is not first)]
        case "zip_slip":
            return [*members, stored("../../outside.txt", small)]
        case "absolute_name":
            return [*members, stored("/tmp/outside.txt", small)]
        case "backslash_name":
            return [*members, stored("..\\..\\outside.txt", small)]
        case "long_name":
            return [*members, stored("n" * (amount or 60_000), small)]
        case "symlink":
            return [*members, replace(stored("link", b"/etc/passwd"), unix_mode=0o120777)]
        case "duplicate_member":
            return [*members, stored(first.name, small)]
        case "oversize_member":
            return [*members, zeros("large.csv", amount or 1 << 30)]
        case "understated_size":
            return [*members, replace(zeros("large.csv", amount or 1 << 26), size=100)]
        case "many_members":
            return [*members, *(stored(f"many/{number}.txt", b"") for number in range(amount or 100_000))]
        case "nested_archive":
            inner = assemble([stored("inner.txt", small)])
            for _ in range(amount or 3):
                inner = assemble([stored("inner.zip", b"".join(inner.blocks()))])
            return [*members, stored("inner.zip", b"".join(inner.blocks()))]
    return members


def _with_flipped_bit(archive: Archive) -> Archive:
    """One bit of the first member's data is wrong."""
    runs = list(archive.runs)
    position = next((number for number, (block, _) in enumerate(runs) if not block.startswith(b"PK")), 0)
    block, times = runs[position]
    spoiled = bytearray(block)
    spoiled[len(spoiled) // 2] ^= 0x10
    runs[position : position + 1] = [(bytes(spoiled), 1), (block, times - 1)]
    return Archive(tuple(run for run in runs if run[1]))
