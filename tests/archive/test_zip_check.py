from __future__ import annotations

import io
import shutil
import stat
import struct
import subprocess
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import pytest

from adobe_privacy.archive import Fault, InvalidArchive, ZipCheck, ZipLimits, ZipSummary
from tests.archive.zips import RESULT, Members, corrupted, make_zip, noise


def check(data: bytes, piece: int | None = None, limits: ZipLimits | None = None) -> ZipSummary:
    checker = ZipCheck(limits)
    for at in range(0, len(data), piece or len(data) or 1):
        checker.feed(data[at : at + (piece or len(data))])
    return checker.finish()


def fault(data: bytes, limits: ZipLimits | None = None) -> str:
    with pytest.raises(InvalidArchive) as caught:
        check(data, limits=limits)
    return caught.value.reason


# Legitimate archives


@pytest.mark.parametrize("streamed", [False, True], ids=["sized", "descriptors"])
@pytest.mark.parametrize("stored", [False, True], ids=["deflated", "stored"])
@pytest.mark.parametrize("zip64", [False, True], ids=["zip32", "zip64"])
@pytest.mark.parametrize("piece", [1, 2, 3, 29, 1000, None])
def test_every_way_of_writing_an_archive_passes(
    streamed: bool, stored: bool, zip64: bool, piece: int | None
) -> None:
    members = [*RESULT, ("noise.bin", noise(3000)), ("inner.zip", make_zip(streamed=True, stored=True))]
    summary = check(make_zip(members, streamed=streamed, stored=stored, zip64=zip64), piece)
    assert summary.members == 7
    assert summary.inflated_bytes == sum(len(data) for _, data in members)
    assert summary.folders == {"result", "Analytics", "Profile"}


@pytest.mark.parametrize("piece", [1, None])
def test_an_empty_archive_passes(piece: int | None) -> None:
    assert check(make_zip([]), piece) == ZipSummary(0, 0, frozenset())


def test_an_archive_with_a_comment_passes() -> None:
    assert check(make_zip(comment=b"made by the product")).members == 5


def bare_descriptors(*, stored: bool, wide: bool, members: Members) -> bytes:
    """An archive whose data descriptors have no signature, as APPNOTE 4.3.9.3 allows."""
    body, directory = b"", b""
    for name, data in members:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = data if stored else packer.compress(data) + packer.flush()
        crc, sizes, method = zlib.crc32(data), (len(packed), len(data)), 0 if stored else 8
        offset = len(body)
        body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, 8, method, 0, 0, 0, 0, 0, len(name), 0)
        body += name.encode() + packed + struct.pack("<L2Q" if wide else "<3L", crc, *sizes)
        directory += struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 20, 20, 8, method, 0, 0, crc, *sizes, len(name), 0, 0, 0, 0, 0, offset
        )
        directory += name.encode()
    count = len(members)
    return (
        body
        + directory
        + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)
    )


@pytest.mark.parametrize("stored", [False, True], ids=["deflated", "stored"])
@pytest.mark.parametrize("wide", [False, True], ids=["4-byte", "8-byte"])
@pytest.mark.parametrize("piece", [1, 7, None])
def test_descriptors_without_signature_pass(stored: bool, wide: bool, piece: int | None) -> None:
    data = bare_descriptors(
        stored=stored, wide=wide, members=[("a", b"text"), ("b", noise(70_000)), ("c", b"PK\3\4PK\7\x08" * 9)]
    )
    if not wide:
        assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    assert check(data, piece).members == 3


@pytest.mark.parametrize("piece", [5, 4096, None])
def test_data_that_resembles_descriptors_does_not_end_a_stored_member(piece: int | None) -> None:
    inner = make_zip([("x", noise(500))], streamed=True, stored=True)
    lookalike = b"PK\7\x08" + struct.pack("<3L", 0, 16, 16) + b"PK\3\4"
    data = make_zip([("a", inner * 3 + lookalike + inner[:-5]), ("b", b"PK")], streamed=True, stored=True)
    assert check(data, piece).members == 2


def test_an_archive_made_by_info_zip_passes(tmp_path: Path) -> None:
    if shutil.which("zip") is None:
        pytest.skip("zip is not installed")
    for name, data in (("dir/a.txt", b"a" * 1000), ("dir/b.bin", noise(5000)), ("dir/ü.txt", b"x")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    for options in ([], ["-0"], ["-fd"], ["-0", "-fd"], ["-fz"]):
        subprocess.run(["zip", "-q", "-r", *options, "made.zip", "dir"], cwd=tmp_path, check=True)
        made = tmp_path / "made.zip"
        assert check(made.read_bytes()).members == 4
        made.unlink()
        if "-fz" not in options:  # to a pipe it writes a directory offset that its own unzip refuses
            piped = subprocess.run(
                ["zip", "-q", "-r", *options, "-", "dir"], cwd=tmp_path, stdout=subprocess.PIPE, check=True
            )
            assert check(piped.stdout).members == 4


def test_more_members_than_fit_two_bytes_pass() -> None:
    assert check(make_zip([(f"{n}", b"") for n in range(65_540)])).members == 65_540


def test_memory_does_not_grow_with_the_size_of_a_member() -> None:
    import tracemalloc

    data = make_zip([("zeros", bytes(200_000_000)), ("noise", noise(20_000_000))])
    tracemalloc.start()
    check(data, 1024 * 1024, ZipLimits(max_ratio=2000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


# Hostile archives


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "absolute-name"),
        ("C:/windows", "absolute-name"),
        ("c:evil", "absolute-name"),
        ("../outside", "traversal-name"),
        ("a/../../outside", "traversal-name"),
        ("a/..", "traversal-name"),
        ("a\\b", "backslash-in-name"),
        ("..\\outside", "backslash-in-name"),
        ("", "bad-name"),
        ("./", "bad-name"),
    ],
)
def test_a_name_that_leads_out_is_refused(name: str, reason: str) -> None:
    data = make_zip([("good", b"x"), ("placeholder", b"x")])
    data = data.replace(b"placeholder", name.encode().ljust(11, b"/") if name else b"placeholder")
    if name in ("", "./"):
        data = make_zip([(name, b"")])
    assert fault(data) == reason


def test_a_name_with_nul_is_refused() -> None:
    assert fault(make_zip([("nameXtail", b"x")]).replace(b"nameXtail", b"name\0tail")) == "nul-in-name"


def test_names_like_dots_that_lead_nowhere_pass() -> None:
    assert check(make_zip([("a..b/...", b"x"), ("..c", b"x"), ("./d", b"x")])).members == 3


def test_a_second_name_in_the_unicode_field_is_checked_too() -> None:
    info = zipfile.ZipInfo("harmless")
    evil = b"../../evil"
    info.extra = struct.pack("<HHBL", 0x7075, 5 + len(evil), 1, zlib.crc32(b"harmless")) + evil
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, b"x")
    assert fault(file.getvalue()) == "traversal-name"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["a/b", "./a/b", "a//b", "a/./b"])
def test_a_name_that_comes_twice_is_refused(second: str) -> None:
    assert fault(make_zip([("a/b", b"1"), (second, b"2")])) == "duplicate-name"


def test_a_symbolic_link_is_refused() -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert fault(file.getvalue()) == "symlink"


def test_bombs_are_refused_by_each_limit() -> None:
    zeros = make_zip([("zeros", bytes(20_000_000))])
    assert check(zeros).members == 1
    assert fault(zeros, ZipLimits(max_inflated_bytes=19_999_999)) == "inflates-too-large"
    assert fault(zeros, ZipLimits(max_ratio=100, ratio_free_bytes=1_000_000)) == "compression-ratio"
    hidden = make_zip([("noise", noise(1_000_000)), ("zeros", bytes(20_000_000))])
    assert fault(hidden, ZipLimits(max_ratio=100, ratio_free_bytes=1_000_000)) == "compression-ratio"
    many = make_zip([(f"{n}", b"") for n in range(101)])
    assert check(many, limits=ZipLimits(max_entries=101)).members == 101
    assert fault(many, ZipLimits(max_entries=100)) == "too-many-entries"


def test_a_bomb_inside_an_archive_inside_is_refused() -> None:
    bomb = make_zip([("inner.zip", make_zip([("zeros", bytes(20_000_000))]))])
    assert fault(bomb, ZipLimits(max_ratio=100, ratio_free_bytes=1_000_000)) == "compression-ratio"


def test_archives_in_archives_are_refused_beyond_the_limit() -> None:
    data = make_zip([("file", b"x")])
    for _ in range(2):
        data = make_zip([("inner.zip", data)])
    assert check(data, limits=ZipLimits(max_nesting=2)).members == 1
    assert fault(data, ZipLimits(max_nesting=1)) == "nested-too-deep"
    assert fault(data, ZipLimits(max_nesting=0)) == "nested-too-deep"


def test_a_broken_archive_inside_is_the_persons_own_data() -> None:
    assert check(make_zip([("broken.zip", make_zip()[:-30]), ("next", b"x")])).members == 2


def overlapping() -> bytes:
    """Two directory entries for the same bytes, the trick of the densest known bombs."""
    data = make_zip([("a", b"x" * 100)])
    start = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    entry = data[start:end]
    trailer = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, 2 * len(entry), start, 0)
    return data[:start] + entry + entry + trailer


def test_members_that_overlap_are_refused() -> None:
    assert fault(overlapping()) == "central-directory-mismatch"


# Damaged archives


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda d: b"", "empty-body"),
        (lambda d: b'  {"title": "error"}', "json-body"),
        (lambda d: b"PK", "not-a-zip"),
        (lambda d: b"\0" + d, "not-a-zip"),
        (lambda d: d + b"\0", "trailing-bytes"),
        (lambda d: d[:-1], "truncated"),
        (lambda d: d[: d.index(b"PK\5\6")], "truncated"),
        (lambda d: d[: d.index(b"PK\1\2")], "truncated"),
        (lambda d: d.replace(b"PK\1\2", b"\0PK\1\2", 1), "stray-bytes"),
        (lambda d: d.replace(b"PK\5\6", b"\0PK\5\6", 1), "bad-end-record"),
        (lambda d: d + d, "trailing-bytes"),
    ],
)
def test_damage_is_named(damage: object, reason: str) -> None:
    assert callable(damage)
    assert fault(damage(make_zip())) == reason


def test_an_encrypted_member_is_refused() -> None:
    data = bytearray(make_zip([("a", b"x")]))
    data[6] |= 1
    assert fault(bytes(data)) == "encrypted-member"


def test_a_method_that_cannot_be_checked_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"x")
    assert fault(file.getvalue()) == "unsupported-feature"


def test_after_a_refusal_every_call_refuses() -> None:
    checker = ZipCheck()
    for call in (lambda: checker.feed(b"nonsense"), lambda: checker.feed(make_zip()), checker.finish):
        with pytest.raises(InvalidArchive, match="not-a-zip"):
            call()


def test_no_refusal_repeats_a_name() -> None:
    data = make_zip([("dsmith@example.com/../x", b"x")])
    with pytest.raises(InvalidArchive) as caught:
        check(data)
    assert "dsmith" not in str(caught.value) + repr(caught.value)
    assert (caught.value.reason, caught.value.member) == (Fault.NAME_TRAVERSAL, 0)


# Random corruption


@pytest.mark.parametrize("streamed", [False, True], ids=["sized", "descriptors"])
@pytest.mark.parametrize("stored", [False, True], ids=["deflated", "stored"])
def test_of_a_thousand_corruptions_none_that_matters_is_accepted(streamed: bool, stored: bool) -> None:
    good = make_zip([*RESULT, ("noise.bin", noise(300))], streamed=streamed, stored=stored)
    outcomes = Counter(corrupted(good, 1000))
    assert outcomes["accepted"] == 0, outcomes
    # What is left is a change of what the check does not promise to see.
    assert outcomes.total() > 950
    assert outcomes[None] > outcomes.total() - 200


def test_archives_in_archives_share_one_budget() -> None:
    """Counted anew in each, 20 members of 1 MiB in 3 levels came to many times what was allowed."""
    inner = make_zip([(f"{number}.bin", bytes(1024**2)) for number in range(20)])
    middle = make_zip([(f"{number}.zip", inner) for number in range(20)])
    data = make_zip([(f"{number}.zip", middle) for number in range(5)])
    free = {"ratio_free_bytes": 10**12, "max_ratio": 10**9}
    assert fault(data, ZipLimits(max_inflated_bytes=100 * 1024**2, **free)) == "inflates-too-large"
    assert fault(data, ZipLimits(max_entries=1000, **free)) == "too-many-entries"
    assert fault(data, ZipLimits(max_ratio=250, ratio_free_bytes=1024**2)) == "compression-ratio"


def test_no_limit_lets_levels_exhaust_the_stack() -> None:
    data = make_zip()
    for _ in range(400):
        data = make_zip([("inner.zip", data)])
    assert fault(data, ZipLimits(max_nesting=10**9)) == "nested-too-deep"
