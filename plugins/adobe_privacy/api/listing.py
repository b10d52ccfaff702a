"""Reads a listing completely, although neither its page numbers, page sizes nor totals can be relied upon.

Adobe's documents number pages from 0 or from 1, allow 100 or 1,000 rows, and count in `totalRecords` either
the page or everything. The order of rows is undocumented, and jobs come and go while pages are read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import date, timedelta

from adobe_privacy.api.errors import RequestRefused, UnreadableAnswer
from adobe_privacy.api.facts import LIST_SPAN
from adobe_privacy.api.models import JobSummary, ListPage
from adobe_privacy.plain_text import plain_logger

log = plain_logger(__name__)

# fetch(page, size) gives None where the service has nothing there.
FetchPage = Callable[[int, int], Awaitable[ListPage | None]]

# From the first day to the last one of a window: both are counted.
WINDOW = LIST_SPAN - timedelta(days=1)
MAX_PASSES = 5
# Pages without a row that was not there before, beyond as many as brought some.
MAX_REPEATS = 10
MAX_JOBS = 2_000_000
"""In one window of 30 days, more than three times what the daily limit allows: a listing without an end."""


def is_news(job: JobSummary, seen: dict[str, bool]) -> bool:
    """Whether a row tells of its job what those `seen` before did not: that it is there, or that it has ended."""
    ended = job.status.is_terminal
    news = job.job_id not in seen or (ended and not seen[job.job_id])
    if news:
        seen[job.job_id] = ended
    return news


def windows(from_date: date, to_date: date) -> Iterator[tuple[date, date]]:
    """Cut a span into windows of at most 30 days, both ends counted: the documented limit.

    Neighbours share a day: whether `toDate` is within the window is not documented.
    """
    if to_date < from_date:
        raise ValueError("to_date is before from_date: name the earlier day first.")
    start = from_date
    while to_date - start > WINDOW:
        yield start, start + WINDOW
        start += WINDOW
    yield start, to_date


def until(last: date, start: date, end: date) -> tuple[date, date]:
    return min(start, last), min(end, last)


class Listing:
    """Remembers, from one listing to the next, what this service turned out to be like."""

    def __init__(self, page_size: int) -> None:
        self._page_size = page_size
        self._first_page: int | None = None
        self.keys_without_id: set[str] = set()
        # The most rows that a page of this size has held: a page with fewer is not full, so it is the last.
        self._fullest = 0

    async def jobs(
        self, fetch: FetchPage, *, filtered: bool, thorough: bool = True
    ) -> AsyncIterator[JobSummary]:
        """Every job of one window, each once, and once more where a later row says that it has ended. What appears or
        disappears meanwhile may be missed.

        New jobs push rows to later pages, where reading on finds them. Where rows moved in another way, the
        pages are read again until a reading brings nothing new, five times at most. A listing `filtered` by
        status loses rows while it is read, and those behind them move to earlier pages: so the pages are
        read once more from the last to the first, against that movement.

        Not `thorough`, each page is read once, and rows that move meanwhile may be missed.
        """
        found: dict[str, bool] = {}
        numbers: list[int] = []
        for _ in range(MAX_PASSES):
            before = len(found)
            in_this_pass: set[str] = set()
            numbers = []
            largest_total = 0
            moved = one_page = False
            async for number, page in self._pages(fetch, filtered=filtered):
                numbers.append(number)
                one_page = len(numbers) == 1 and _rows(page) < self._fullest
                # Only ever a reason to look again, never one to stop.
                largest_total = max(largest_total, page.total_records or 0)
                if len(found) > MAX_JOBS:
                    raise UnreadableAnswer("the listing has no end.", method="GET", route="/jobs")
                for job in page.jobs:
                    moved = moved or job.job_id in in_this_pass
                    in_this_pass.add(job.job_id)
                    if is_news(job, found):
                        yield job
            if one_page or not thorough:
                return
            if len(numbers) <= 1 or not (moved or largest_total > len(in_this_pass)):
                break
            if before and len(found) == before:
                break
        for number in reversed(numbers) if filtered else ():
            again = await self._fetch(fetch, number)
            for job in again.jobs if again is not None else ():
                if is_news(job, found):
                    yield job

    async def _pages(self, fetch: FetchPage, *, filtered: bool) -> AsyncIterator[tuple[int, ListPage]]:
        """The pages and their numbers, until one is empty or known not to be full.

        That a page is shorter than asked for proves nothing, the service may cap the size without a word. New jobs can
        push every row that was read to later pages, and no more than those: whatever else brings nothing new is a
        service that begins again and again.
        """
        number, page = await self._first(fetch, filtered=filtered)
        first_number, size = number, self._page_size
        seen: set[str] = set()
        with_news = without = 0
        while page is not None and (rows := _rows(page)) > 0:
            known = len(seen)
            seen.update(job.job_id for job in page.jobs)
            if len(seen) > known:
                with_news, without = with_news + 1, 0
            else:
                without += 1
            if without > MAX_REPEATS + with_news:
                raise UnreadableAnswer(
                    "the pages of the listing begin again and again, so it can't be read to its end.",
                    method="GET",
                    route="/jobs",
                )
            self._fullest = max(self._fullest, min(rows, size))
            if page.unusable_rows:
                log.warning("The listing has %d rows without a usable job id: left out.", page.unusable_rows)
                self.keys_without_id.update(page.keys_without_id)
            yield number, page
            if rows < self._fullest:
                return
            number += 1
            page = await self._fetch(fetch, number)
            if self._page_size != size:
                # Pages of the new size do not continue those of the old one.
                number, size, seen = first_number, self._page_size, set()
                with_news = without = 0
                page = await self._fetch(fetch, number)

    async def _first(self, fetch: FetchPage, *, filtered: bool) -> tuple[int, ListPage | None]:
        if self._first_page is not None:
            first = await self._fetch(fetch, self._first_page)
            if not filtered:
                _refuse_contradiction(first)
            return self._first_page, first
        page = await self._page_zero(fetch)
        if isinstance(page, RequestRefused):
            # Perhaps for the page number, perhaps for something else: then page 1 is refused for it as well.
            page_one = await self._fetch(fetch, 1)
            page = await self._page_zero(fetch)
            if isinstance(page, RequestRefused):
                self._first_page = 1
                if not filtered:
                    _refuse_contradiction(page_one)
                return 1, page_one
        if page is not None and _rows(page):
            self._first_page = 0
            return 0, page
        # Nothing on page 0: nothing at all, or a service that counts from 1.
        page_one = await self._fetch(fetch, 1)
        if not filtered and (page_one is None or not _rows(page_one)):
            if _contradicts(page_one) and not _contradicts(page):
                # A first job has come since page 0 was read.
                page = await self._fetch(fetch, 0)
                if page is not None and _rows(page):
                    self._first_page = 0
                    return 0, page
            _refuse_contradiction(page, page_one)
        return 1, page_one

    async def _page_zero(self, fetch: FetchPage) -> ListPage | RequestRefused | None:
        try:
            return await self._fetch(fetch, 0)
        except RequestRefused as error:
            return error

    async def _fetch(self, fetch: FetchPage, number: int) -> ListPage | None:
        try:
            return await fetch(number, self._page_size)
        except RequestRefused as error:
            if error.limit is None or not 0 < error.limit < self._page_size:
                raise
            self._page_size, self._fullest = error.limit, 0
        return await fetch(number, self._page_size)


def _refuse_contradiction(*pages: ListPage | None) -> None:
    """Whoever looks for a job would believe that it is not there, and send it again. A list filtered by status may
    count jobs of every status: what it lacks is only ever a hint."""
    if any(_contradicts(page) for page in pages):
        raise UnreadableAnswer("the listing counts jobs and shows none.", method="GET", route="/jobs")


def _contradicts(page: ListPage | None) -> bool:
    return page is not None and not _rows(page) and (page.total_records or 0) > 0


def _rows(page: ListPage) -> int:
    return len(page.jobs) + page.unusable_rows
