from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adobe_privacy.api.errors import RequestRefused, UnreadableAnswer
from adobe_privacy.api.listing import Listing, windows
from adobe_privacy.api.models import ListPage


@dataclass
class Server:
    """A listing that behaves in one of the ways that Adobe's documents allow, and changes while it is read."""

    ids: list[str]
    cap: int = 1000
    page_base: Literal[0, 1] = 0
    page_zero: Literal["refused", "empty", "same as page 1"] = "refused"
    too_large: Literal["refused", "capped"] = "capped"
    total: Literal["page", "all"] = "page"
    past_the_end: Literal["nothing", "empty page"] = "nothing"
    before_call: Callable[[Server], None] = lambda server: None
    calls: list[tuple[int, int]] = field(default_factory=list)

    async def fetch(self, page: int, size: int) -> ListPage | None:
        self.before_call(self)
        self.calls.append((page, size))
        if size > self.cap and self.too_large == "refused":
            raise RequestRefused("too large", field="size", limit=self.cap)
        if page < self.page_base:
            if self.page_zero == "refused":
                raise RequestRefused("no such page")
            if self.page_zero == "same as page 1":
                page = 1
        size = min(size, self.cap)
        start = (page - self.page_base) * size
        rows = self.ids[start : start + size] if start >= 0 else []
        if not rows and self.past_the_end == "nothing":
            return None
        total = len(rows) if self.total == "page" else len(self.ids)
        return ListPage.model_validate(
            {"jobDetails": [{"jobId": job_id} for job_id in rows], "totalRecords": total}
        )


async def read(
    server: Server, *, size: int = 1000, filtered: bool = False, listing: Listing | None = None
) -> list[str]:
    listing = listing or Listing(size)
    return [job.job_id async for job in listing.jobs(server.fetch, filtered=filtered)]


def numbered(count: int) -> list[str]:
    return [f"job-{n}" for n in range(count)]


SERVERS = st.builds(
    Server,
    ids=st.integers(0, 30).map(numbered).flatmap(st.permutations),
    cap=st.sampled_from([1, 2, 3, 7, 10, 25, 1000]),
    page_base=st.sampled_from([0, 1]),
    page_zero=st.sampled_from(["refused", "empty", "same as page 1"]),
    too_large=st.sampled_from(["refused", "capped"]),
    total=st.sampled_from(["page", "all"]),
    past_the_end=st.sampled_from(["nothing", "empty page"]),
)


@settings(max_examples=400, deadline=None)
@given(SERVERS, st.integers(1, 40), st.booleans())
async def test_every_job_is_found_once_whatever_the_paging(server: Server, size: int, filtered: bool) -> None:
    found = await read(server, size=size, filtered=filtered)
    assert sorted(found) == sorted(server.ids)


@settings(max_examples=400, deadline=None)
@given(SERVERS, st.integers(1, 40), st.dictionaries(st.integers(0, 12), st.integers(1, 5), max_size=6))
async def test_every_job_that_was_there_is_found_while_new_ones_push_the_rows_on(
    server: Server, size: int, arrivals: dict[int, int]
) -> None:
    before = list(server.ids)

    def arrive(server: Server) -> None:
        for _ in range(arrivals.pop(len(server.calls), 0)):
            server.ids.insert(0, f"new-{len(server.ids)}")

    server.before_call = arrive
    found = Counter(await read(server, size=size))
    assert set(before) <= found.keys()
    assert set(found.values()) <= {1}


async def test_the_first_job_of_all_may_come_between_the_first_two_calls() -> None:
    server = Server(ids=[], total="all", past_the_end="empty page")

    def arrive(server: Server) -> None:
        if len(server.calls) == 1:
            server.ids.append("new")

    server.before_call = arrive
    assert await read(server) == ["new"]


@settings(max_examples=400, deadline=None)
@given(SERVERS, st.integers(1, 40), st.dictionaries(st.integers(0, 8), st.integers(0, 29), max_size=3))
async def test_every_job_that_stays_is_found_while_others_leave_a_listing_filtered_by_status(
    server: Server, size: int, departures: dict[int, int]
) -> None:
    stays = set(server.ids)

    def depart(server: Server) -> None:
        job = f"job-{departures.pop(len(server.calls), None)}"
        if job in server.ids:
            server.ids.remove(job)
            stays.discard(job)

    server.before_call = depart
    found = Counter(await read(server, size=size, filtered=True))
    assert stays <= found.keys()
    assert set(found.values()) <= {1}


@settings(max_examples=200, deadline=None)
@given(SERVERS, st.integers(1, 40), st.lists(st.integers(0, 30), min_size=1, max_size=4), st.booleans())
async def test_what_one_listing_teaches_does_not_spoil_the_next(
    server: Server, size: int, lengths: list[int], filtered: bool
) -> None:
    listing = Listing(size)
    for length in lengths:
        server.ids = numbered(length)
        assert sorted(await read(server, filtered=filtered, listing=listing)) == sorted(server.ids)


async def test_a_waiting_list_that_shrinks_costs_one_call_each_time() -> None:
    server, listing = Server(numbered(500)), Listing(1000)
    calls = []
    for _ in range(3):
        server.calls.clear()
        assert len(await read(server, filtered=True, listing=listing)) == len(server.ids)
        calls.append(len(server.calls))
        server.ids.pop()
    # The first time: the page, the one after it, and the page once more against movement.
    assert calls == [3, 1, 1]


async def test_a_listing_of_more_than_a_page_ends_with_its_shorter_last_page() -> None:
    server = Server(numbered(2500))
    assert len(await read(server)) == 2500
    assert server.calls == [(0, 1000), (1, 1000), (2, 1000)]


async def test_a_short_first_page_is_not_taken_for_the_end() -> None:
    server = Server(numbered(250), cap=100)
    assert len(await read(server)) == 250
    assert server.calls == [(0, 1000), (1, 1000), (2, 1000)]


async def test_a_refused_page_size_is_remembered() -> None:
    server, listing = Server(numbered(30), cap=25, too_large="refused"), Listing(1000)
    assert len(await read(server, listing=listing)) == 30
    server.calls.clear()
    assert len(await read(server, listing=listing)) == 30
    assert server.calls == [(0, 25), (1, 25)]


async def test_a_refused_page_zero_is_remembered() -> None:
    server, listing = Server(numbered(3), page_base=1), Listing(1000)
    await read(server, listing=listing)
    server.calls.clear()
    assert await read(server, listing=listing) == numbered(3)
    assert server.calls == [(1, 1000), (2, 1000)]


async def test_one_stray_refusal_of_page_zero_loses_nothing() -> None:
    server = Server(numbered(3))

    def refuse_once(server: Server) -> None:
        if not server.calls:
            server.calls.append((-1, 0))
            raise RequestRefused("a passing fault")

    server.before_call = refuse_once
    assert await read(server) == numbered(3)


async def test_an_empty_listing_is_asked_for_once_when_pages_are_known_to_count_from_zero() -> None:
    server, listing = Server(numbered(1)), Listing(1000)
    await read(server, listing=listing)
    server.ids.clear()
    server.calls.clear()
    assert await read(server, listing=listing) == []
    assert server.calls == [(0, 1000)]


async def test_a_refusal_for_another_reason_is_raised() -> None:
    class Refusing(Server):
        async def fetch(self, page: int, size: int) -> ListPage | None:
            raise RequestRefused("unknown regulation", field="regulation")

    with pytest.raises(RequestRefused):
        await read(Refusing([]))


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param(lambda page: [0, 1, 2], id="the same rows"),
        pytest.param(
            lambda page: [[0, 1, 2], [2, 0, 1], [1, 2, 0]][page % 3], id="in another order each time"
        ),
        pytest.param(lambda page: [3 * (page % 2), 3 * (page % 2) + 1], id="two pages in turn"),
        pytest.param(lambda page: [page % 7], id="seven pages over and over"),
    ],
)
@pytest.mark.parametrize("thorough", [True, False])
async def test_a_listing_that_begins_again_and_again_is_given_up(
    pages: Callable[[int], list[int]], thorough: bool
) -> None:
    calls: list[int] = []

    async def fetch(page: int, size: int) -> ListPage | None:
        calls.append(page)
        assert len(calls) < 100, "the listing has no end"
        return ListPage.model_validate({"jobDetails": [{"jobId": f"job-{n}"} for n in pages(page)]})

    with pytest.raises(UnreadableAnswer, match="again and again"):
        async for _ in Listing(1000).jobs(fetch, filtered=False, thorough=thorough):
            pass


async def test_many_new_jobs_push_rows_on_without_an_end_of_the_reading() -> None:
    """A batch of a thousand users is made while its list is read."""

    def batch(server: Server) -> None:
        if len(server.calls) == 30:
            server.ids = [f"new-{n}" for n in range(60)] + server.ids

    server = Server(numbered(90), cap=2, before_call=batch)
    assert set(numbered(90)) <= set(await read(server))


@pytest.mark.parametrize(
    "body",
    [
        {"jobDetails": [], "totalRecords": 5},
        {"jobDetails": None, "totalRecords": 5},
        {"jobs": [], "totalRecords": "5"},
    ],
)
@pytest.mark.parametrize("refused", [False, True], ids=["page 0 is read", "page 0 is refused"])
async def test_a_listing_without_rows_that_counts_some_is_no_empty_one(
    body: dict[str, object], refused: bool
) -> None:
    async def fetch(page: int, size: int) -> ListPage | None:
        if refused and page == 0:
            raise RequestRefused("no such page")
        return ListPage.model_validate(body)

    with pytest.raises(UnreadableAnswer, match="counts jobs"):
        async for _ in Listing(1000).jobs(fetch, filtered=False):
            pass


@pytest.mark.parametrize("then", [None, {"jobDetails": [], "totalRecords": 0}], ids=["404", "an empty page"])
async def test_a_first_page_of_rows_without_an_id_is_no_empty_one(then: dict[str, object] | None) -> None:
    async def fetch(page: int, size: int) -> ListPage | None:
        if page == 0:
            return ListPage.model_validate(
                {"jobDetails": [{"userKey": "DSR-1", "jobId": None}], "totalRecords": 1}
            )
        return None if then is None else ListPage.model_validate(then)

    listing = Listing(1000)
    assert [job async for job in listing.jobs(fetch, filtered=False)] == []
    assert listing.keys_without_id == {"DSR-1"}


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 200))
def test_windows_cover_every_day_and_none_is_longer_than_thirty(start: date, days: int) -> None:
    end = start + timedelta(days=days)
    cut = list(windows(start, end))
    assert cut[0][0] == start
    assert cut[-1][1] == end
    assert all(first <= last <= first + timedelta(days=29) for first, last in cut)
    assert all(later[0] == earlier[1] for earlier, later in pairwise(cut))


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="to_date"):
        list(windows(date(2026, 2, 1), date(2026, 1, 1)))


async def test_a_reading_that_is_not_thorough_reads_each_page_once() -> None:
    server = Server([str(number) for number in range(25)], total="all")
    listing = Listing(10)
    found = [job.job_id async for job in listing.jobs(server.fetch, filtered=True, thorough=False)]
    assert found == server.ids
    assert [page for page, _ in server.calls] == [0, 1, 2]
