"""Checking a ZIP archive while its bytes pass by, without unpacking it.

The format is PKWARE's APPNOTE.TXT; section numbers in this module are its.
"""

from __future__ import annotations

import hashlib
import re
import stat
import struct
from collections.abc import Generator
from typing import Never

from isal import igzip_lib, isal_zlib

from adobe_privacy.archive.errors import InvalidArchive
from adobe_privacy.archive.zip_format import (
    CENTRAL,
    CENTRAL_HEADER,
    DESCRIPTOR,
    END,
    END64,
    END64_RECORD,
    END_RECORD,
    LOCAL,
    LOCAL_HEADER,
    LOCATOR64,
    LOCATOR64_RECORD,
    MAX16,
    MAX32,
    MEMBER,
    UNICODE_PATH,
    extra_fields,
    identity,
    possible_descriptors,
    zip64_values,
)
from adobe_privacy.archive.zip_rules import LIMITS_EXCEEDED, Fault, ZipLimits, ZipSummary, read_name

_ENCRYPTED, _STREAMED, _PATCH, _STRONG, _UTF8, _MASKED = 0x1, 0x8, 0x20, 0x40, 0x800, 0x2000
_STORED, _DEFLATED = 0, 8
_NEWEST_VERSION = 63  # 6.3, the newest that 4.4.3 defines; readers refuse a member that asks for more
_LONGEST_DESCRIPTOR = 24
_OUTPUT = 128 * 1024
_SMALLEST_INPUT, _LARGEST_INPUT = 4 * 1024, 256 * 1024
_FOLDERS_KEPT = 1000
_DEEPEST = 16  # whatever the limits say: each level is a call within a call
_INFLATE_ERROR: type[Exception] = igzip_lib.error  # type: ignore[assignment]
_AFTER_STORED = re.compile(rb"PK(?:\x07\x08|\x03\x04|\x01\x02)")

Steps = Generator[None, "bytes | None", None]
Bytes = Generator[None, "bytes | None", bytes]


class ZipCheck:
    """Takes an archive in pieces of any size and refuses it at the first thing that is wrong.

    Promised of an archive that `finish` accepts: every byte belongs to a member, its headers, the central
    directory or the end records, from first to last, with nothing before, between or after; each member
    inflates to the size and CRC that its headers say, and the central directory lists exactly the members
    that were there, with the same name, flags, method, sizes, CRC and offset; no name leaves the folder it
    would be unpacked into, none comes twice, none is a symbolic link; the limits hold. Stored and deflated
    members, data descriptors of all four shapes, zip64 and empty archives are understood.

    Not promised: time stamps, attributes, comments and extra fields are not compared, and what a member
    means is not looked at. Other compression methods and encryption are refused, since their bytes can't be
    proven. Memory grows by about 250 bytes a member.

    Not safe for calls from several threads at once.
    """

    def __init__(self, limits: ZipLimits | None = None, *, _around: ZipCheck | None = None) -> None:
        self._limits = limits or ZipLimits()
        # All levels share one budget, that of the outermost.
        self._outermost: ZipCheck = self if _around is None else _around._outermost
        self._depth: int = 0 if _around is None else _around._depth + 1
        self._all_members = 0
        self._all_inflated = 0
        self._data = b""
        self._at = 0
        self._passed = 0
        self._members = 0
        self._inflated = 0
        self._folders: set[str] = set()
        self._names: set[bytes] = set()
        self._seen: dict[int, bytes] = {}
        self._nested: ZipCheck | None = None
        self._failure: InvalidArchive | None = None
        self._steps = self._archive()
        next(self._steps)

    def feed(self, data: bytes) -> None:
        """Take the next piece. Raises `InvalidArchive`, then and on every later call."""
        if self._failure is not None:
            raise self._failure
        if data:
            self._send(data)

    def finish(self) -> ZipSummary:
        """Say that there are no more bytes. Raises `InvalidArchive`."""
        if self._failure is not None:
            raise self._failure
        self._send(None)
        return ZipSummary(self._members, self._inflated, frozenset(self._folders))

    def _send(self, data: bytes | None) -> None:
        try:
            self._steps.send(data)
        except StopIteration:
            pass
        except InvalidArchive as failure:
            self._failure = failure
            raise

    def _fail(self, fault: Fault, *, member: int | None = None) -> Never:
        raise InvalidArchive(fault.value, member=member, offset=self._offset)

    # Bytes

    @property
    def _offset(self) -> int:
        return self._passed + self._at

    def _more(self) -> Steps:
        """Wait for more bytes, keeping those not yet used."""
        data = yield
        if data is None:
            self._fail(Fault.TRUNCATED)
        self._passed += self._at
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def _peek(self, count: int) -> Bytes:
        while len(self._data) - self._at < count:
            yield from self._more()
        return self._data[self._at : self._at + count]

    def _take(self, count: int) -> Bytes:
        taken = yield from self._peek(count)
        self._at += count
        return taken

    # The archive (4.3.6): local members, central directory, end records

    def _archive(self) -> Steps:
        first = yield from self._start()
        signature = first
        while signature == LOCAL:
            yield from self._member()
            signature = yield from self._peek(4)
        if signature not in (CENTRAL, END, END64):
            self._fail(Fault.STRAY_BYTES)
        yield from self._central_directory()
        if self._at < len(self._data):
            self._fail(Fault.TRAILING_BYTES)
        while (yield) is not None:
            self._fail(Fault.TRAILING_BYTES)

    def _start(self) -> Bytes:
        data = yield
        if data is None:
            self._fail(Fault.EMPTY_BODY)
        self._data = data
        while len(self._data) < 4:
            data = yield
            if data is None:
                self._fail(Fault.NOT_A_ZIP)
            self._data += data
        signature = self._data[:4]
        if signature not in (LOCAL, END, END64):
            self._fail(Fault.JSON_BODY if self._data.lstrip()[:1] in (b"{", b"[") else Fault.NOT_A_ZIP)
        return signature

    # Members (4.3.7 to 4.3.9)

    def _member(self) -> Steps:
        index, start = self._members, self._offset
        header = yield from self._take(LOCAL_HEADER.size)
        _, version, flags, method, _, _, crc, compressed, size, name_length, extra_length = (
            LOCAL_HEADER.unpack(header)
        )
        name = yield from self._take(name_length)
        extra = extra_fields((yield from self._take(extra_length)))
        if self._outermost._all_members >= self._limits.max_entries:
            self._fail(Fault.TOO_MANY_ENTRIES)
        self._outermost._all_members += 1
        self._members += 1
        if flags & (_ENCRYPTED | _STRONG | _MASKED):
            self._fail(Fault.ENCRYPTED, member=index)
        if flags & _PATCH or method not in (_STORED, _DEFLATED) or version & 0xFF > _NEWEST_VERSION:
            self._fail(Fault.UNSUPPORTED, member=index)
        self._check_name(name, flags, extra, index)
        size, compressed = zip64_values(extra, size, compressed)
        announced = (crc, compressed, size)
        # With a data descriptor the header says zero (4.4.4, bit 3), or the zip64 marker.
        streamed = bool(flags & _STREAMED)
        unknown = streamed and compressed in (0, MAX32)
        self._nested = None
        if method == _DEFLATED:
            found = yield from self._deflated(index, None if unknown else compressed)
        elif unknown:
            found = yield from self._stored_until_descriptor(index)
        else:
            found = yield from self._stored(index, compressed)
        self._nested = None
        if streamed:
            if method == _DEFLATED or not unknown:
                yield from self._descriptor(found, index)
            for said, was in zip(announced, found, strict=True):
                if said not in (0, MAX32, was):
                    self._fail(Fault.SIZE_MISMATCH, member=index)
        elif announced[1:] != found[1:]:
            self._fail(Fault.SIZE_MISMATCH, member=index)
        elif announced[0] != found[0]:
            self._fail(Fault.CRC_MISMATCH, member=index)
        self._seen[start] = MEMBER.pack(identity(name, extra), flags, method, *found)

    def _stored(self, index: int, length: int) -> Generator[None, bytes | None, tuple[int, int, int]]:
        crc, left = 0, length
        while left:
            if self._at == len(self._data):
                yield from self._more()
            piece = self._data[self._at : self._at + left]
            self._at += len(piece)
            crc = isal_zlib.crc32(piece, crc)
            self._count(piece, index, length - left, length)
            left -= len(piece)
        return crc, length, length

    def _deflated(
        self, index: int, length: int | None
    ) -> Generator[None, bytes | None, tuple[int, int, int]]:
        inflate = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
        crc = size = used = 0
        # Small pieces first: what the decompressor does not use is copied, which for an archive of many small
        # members would be most of the data many times over.
        step = _SMALLEST_INPUT
        while not inflate.eof:
            piece = b""
            if inflate.needs_input:
                if self._at == len(self._data):
                    yield from self._more()
                limit = step if length is None else min(step, length - used)
                if limit == 0:
                    self._fail(Fault.SIZE_MISMATCH, member=index)
                piece = self._data[self._at : self._at + limit]
                self._at += len(piece)
                used += len(piece)
                step = min(step * 2, _LARGEST_INPUT)
            try:
                output = inflate.decompress(piece, _OUTPUT)
            except _INFLATE_ERROR:
                self._fail(Fault.BAD_DEFLATE, member=index)
            crc = isal_zlib.crc32(output, crc)
            self._count(output, index, size, used)
            size += len(output)
        unused = len(inflate.unused_data)
        self._at -= unused
        return crc, used - unused, size

    def _stored_until_descriptor(self, index: int) -> Generator[None, bytes | None, tuple[int, int, int]]:
        """A stored member whose length only its descriptor tells.

        Its end is where a descriptor stands whose sizes and CRC are those of all bytes before it; that
        something else looks like it by chance is one in 2^64 for every signature in the data.
        """
        crc = length = 0
        searched = self._at
        while True:
            match = _AFTER_STORED.search(self._data, searched)
            if match is None or match.start() + _LONGEST_DESCRIPTOR + 4 > len(self._data):
                # Keep what may still turn out to be the beginning of a descriptor.
                keep = min(match.start() if match else len(self._data), len(self._data) - 3)
                keep = max(keep - _LONGEST_DESCRIPTOR, self._at)
                piece = self._data[self._at : keep]
                self._count(piece, index, length, length)
                crc, length = isal_zlib.crc32(piece, crc), length + len(piece)
                resume = (match.start() if match else max(len(self._data) - 3, searched)) - keep
                self._at = keep
                yield from self._more()
                searched = self._at + max(resume, 0)
                continue
            for possible in possible_descriptors(self._data, match.start()):
                total = length + possible.end - self._at
                if possible.end < self._at or (possible.compressed, possible.size) != (total, total):
                    continue
                last = self._data[self._at : possible.end]
                if isal_zlib.crc32(last, crc) == possible.crc:
                    self._count(last, index, length, total)
                    self._at = possible.after
                    return possible.crc, total, total
            searched = match.start() + 1

    def _descriptor(self, found: tuple[int, int, int], index: int) -> Steps:
        """The data descriptor (4.3.9): signature optional, sizes of four bytes or eight."""
        window = yield from self._peek(_LONGEST_DESCRIPTOR + 4)
        for signature in (DESCRIPTOR, b""):
            for layout in ("<L2L", "<L2Q"):
                expected = signature
                try:
                    expected += struct.pack(layout, *found)
                except struct.error:
                    continue
                if window.startswith(expected) and window[len(expected) :][:4] in (LOCAL, CENTRAL):
                    self._at += len(expected)
                    return
        self._fail(Fault.BAD_DESCRIPTOR, member=index)

    def _count(self, output: bytes, index: int, before: int, compressed: int) -> None:
        """Hold the limits, and look whether the member is an archive itself."""
        limits, outermost = self._limits, self._outermost
        self._inflated += len(output)
        outermost._all_inflated += len(output)
        if outermost._all_inflated > limits.max_inflated_bytes:
            self._fail(Fault.TOO_LARGE, member=index)
        if before + len(output) > max(
            limits.ratio_free_bytes, limits.max_ratio * compressed
        ) or outermost._all_inflated > max(limits.ratio_free_bytes, limits.max_ratio * outermost._offset):
            self._fail(Fault.RATIO, member=index)
        if before == 0 and output.startswith(LOCAL):
            if self._depth >= min(limits.max_nesting, _DEEPEST):
                self._fail(Fault.NESTED, member=index)
            self._nested = ZipCheck(limits, _around=self)
        if self._nested is not None:
            try:
                self._nested.feed(output)
            except InvalidArchive as failure:
                # A broken archive inside is the person's own data and no reason to refuse the result.
                if failure.reason in LIMITS_EXCEEDED:
                    self._fail(Fault(failure.reason), member=index)
                self._nested = None

    def _check_name(self, name: bytes, flags: int, extra: dict[int, bytes], index: int) -> None:
        fault, parts, is_folder = read_name(name, extra.get(UNICODE_PATH), utf8=bool(flags & _UTF8))
        if fault is not None:
            self._fail(fault, member=index)
        place = hashlib.blake2b("/".join(parts).encode(), digest_size=16).digest()
        if place in self._names:
            self._fail(Fault.DUPLICATE, member=index)
        self._names.add(place)
        folders = parts if is_folder else parts[:-1]
        if len(self._folders) < _FOLDERS_KEPT:
            self._folders.update(folders[:2])

    # Central directory and end records (4.3.12 to 4.3.16)

    def _central_directory(self) -> Steps:
        start = self._offset
        count = 0
        while (yield from self._peek(4)) == CENTRAL:
            yield from self._central_entry(count)
            count += 1
        if self._seen:
            self._fail(Fault.CENTRAL_MISMATCH)
        yield from self._end(count, start, self._offset - start)

    def _central_entry(self, index: int) -> Steps:
        header = yield from self._take(CENTRAL_HEADER.size)
        fields = CENTRAL_HEADER.unpack(header)
        version, flags, method = fields[2:5]
        crc, compressed, size, name_length, extra_length, comment_length, disk = fields[7:14]
        attributes, offset = fields[15:]
        name = yield from self._take(name_length)
        extra = extra_fields((yield from self._take(extra_length)))
        yield from self._take(comment_length)
        size, compressed, offset = zip64_values(extra, size, compressed, offset)
        expected = self._seen.pop(offset, None)
        if expected != MEMBER.pack(identity(name, extra), flags, method, crc, compressed, size) or disk:
            self._fail(Fault.CENTRAL_MISMATCH, member=index)
        if version & 0xFF > _NEWEST_VERSION:
            self._fail(Fault.UNSUPPORTED, member=index)
        if stat.S_ISLNK(attributes >> 16):
            self._fail(Fault.SYMLINK, member=index)

    def _end(self, count: int, start: int, length: int) -> Steps:
        here = self._offset
        expected = (0, 0, count, count, length, start)
        zip64 = (yield from self._peek(4)) == END64
        if zip64:
            record = END64_RECORD.unpack((yield from self._take(END64_RECORD.size)))
            if not END64_RECORD.size - 12 <= record[1] <= MAX16 or record[4:] != expected:
                self._fail(Fault.BAD_END)
            yield from self._take(record[1] - (END64_RECORD.size - 12))
            locator = LOCATOR64_RECORD.unpack((yield from self._take(LOCATOR64_RECORD.size)))
            if locator != (LOCATOR64, 0, here, 1):
                self._fail(Fault.BAD_END)
        end = END_RECORD.unpack((yield from self._take(END_RECORD.size)))
        if end[0] != END:
            self._fail(Fault.STRAY_BYTES if count == 0 and not zip64 else Fault.BAD_END)
        for said, was, marker in zip(
            end[1:7],
            expected,
            (MAX16, MAX16, MAX16, MAX16, MAX32, MAX32),
            strict=True,
        ):
            if said != was and not (zip64 and said == marker):
                self._fail(Fault.BAD_END)
        yield from self._take(end[7])
