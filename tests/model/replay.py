"""Plays a trace of the model against the real planner, submission and ledger, and compares after every step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job
from adobe_privacy.ledger.states import JobState
from tests.submission.interleavings import DAY, LIST_LAG, Crash, Process, World

# The model's ticks: its time-outs in ticks are those of the real settings in this many seconds.
TICK = timedelta(seconds=45)
T = TypeVar("T")
Event = tuple[Sequence[str], JobState, int, int]
"""What the model did, and where the job stands after it."""


class Unplayable(Exception):
    """The trace does what the real code is kept from by a clock that the model does not have."""


class NoChance(Random):
    """Nothing goes wrong by itself: the trace says what does."""

    outcome = ""  # of the next call

    def random(self) -> float:
        return 1.0

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]
        # Of the lags of the list, the one that is shorter than a tick and longer than nothing.
        return seq[1] if tuple(seq) == (0, LIST_LAG / 2, LIST_LAG) else seq[-1]

    def randrange(self, *_: Any) -> int:
        return 0

    def shuffle(self, x: Any) -> None:
        pass

    def choices(self, population: Any, *_: Any, **__: Any) -> list[Any]:
        return [self.outcome]


class DirectedWorld(World):
    """The world of the interleavings, in which the trace decides what becomes of a call."""

    def __post_init__(self) -> None:
        super().__post_init__()
        assert isinstance(self.random, NoChance)
        self.chance = self.random
        self.current: dict[int, Process] = {}
        self.arrivals: dict[int, Callable[[], None]] = {}
        self.called_at: dict[int, Any] = {}

    def begin(self) -> None:
        self.requests["DSR-0"] = ["delete"]
        line = (
            b'{"request_id": "DSR-0", "regulation": "cpra_ca_usa", "actions": ["delete"], '
            b'"products": ["profileService"], "identities": [{"namespace": "email", "value": "a@example.com"}]}\n'
        )
        self.inbox.write(f"{DAY}/requests.jsonl", line)
        self.plan(DAY)

    @property
    def job(self) -> Job:
        (job,) = self._rows()
        return job

    def fate_of(self, ahead: Sequence[Event], intent: str) -> str:
        for words, *_ in ahead:
            if words[0] == "call" and words[1] == intent:
                return {"made": "made", "unanswered": "made, no answer", "lost": "never arrived"}[words[2]]
        return "never arrived"

    # -- the model's events -------------------------------------------------------------------------------

    def play(self, trace: Sequence[Event]) -> None:
        for number, (words, *expected) in enumerate(trace):
            self.log.append(f"MODEL {' '.join(words)}: {expected}")
            self.step(words, trace[number:])
            # A look is one step of the real code.
            if words[-1] != "looks" and "lists" not in words:
                assert self.standing() == expected, f"the real code is at {self.standing()}"

    def standing(self) -> list[object]:
        """The state of the job, its attempt, and how many jobs of it live at Adobe: as the model tells them."""
        state = JobState.PLANNED if self.job.state is JobState.RECEIVED else self.job.state
        return [state, self.job.attempt, sum(not job.failed for job in self.jobs)]

    def step(self, words: Sequence[str], ahead: Sequence[Event]) -> None:
        match words:
            case ["time"]:
                self.now += TICK
            case ["person", "approves"]:
                self.approve()
            case ["adobe", "fails"]:
                self.fail()
            case ["adobe", "finishes"]:
                pass
            case ["call", intent, "made" | "unanswered"]:
                self.arrivals.pop(int(intent))()
            case ["call", intent, "lost"]:
                self.arrivals.pop(int(intent), None)
            case [one, "intends", intent]:
                self.chance.outcome = self.fate_of(ahead, intent)
                self.intend(int(one), int(intent))
            case [_, "calls" | "recognises" | "gives-up", *_]:
                pass  # the real step was taken with the one before it
            case [one, "looks"]:
                self.look(int(one))
            case [_, "lists", _]:
                pass
            case [one, "records" | "hears-nothing", intent]:
                self.hear(int(one), int(intent))
            case [one, "dies"]:
                self.die(int(one))
            case _:
                raise AssertionError(f"the model says {words}")

    def process(self, one: int) -> Process:
        process = self.current.get(one)
        if process is None or process not in self.processes:
            batch = self.job.batch_id
            assert batch is not None, "the model sends what no plan has claimed"
            process = self.current[one] = self.submit(batch)
        return process

    def intend(self, one: int, intent: int) -> None:
        process = self.process(one)
        self.go_on_while(process, lambda at: not at.startswith("request"))
        if process not in self.processes:
            # It had ended its batch in the moment before; the next try sends.
            process = self.process(one)
            self.go_on_while(process, lambda at: not at.startswith("request"))
        assert process.arrive is not None
        self.arrivals[intent] = process.arrive
        self.called_at[intent] = self.now

    def look(self, one: int) -> None:
        """From one look to its end: the lists, and what follows from them."""
        begun = self.current.get(one) in self.processes
        process = self.process(one)
        if begun:
            # It may have begun a look when it heard nothing: that one is older.
            self.go_on_while(process, lambda at: at.startswith(("list", "next page")))
            if process in self.processes:
                self.go_on(process)
        self.go_on_while(process, lambda at: at.startswith(("list", "next page")))

    def go_on_while(self, process: Process, here: Callable[[str], bool]) -> None:
        for _ in range(50):
            if process not in self.processes or not here(process.waits_for):
                return
            self.go_on(process)
        raise AssertionError(f"{process.name} does not get on: {process.waits_for}")

    def hear(self, one: int, intent: int) -> None:
        if self.now - self.called_at[intent] > timedelta(seconds=90):
            raise Unplayable("the real call has timed out by itself")
        process = self.current[one]
        self.go_on(process)
        if process in self.processes and process.waits_for == "answer":
            self.go_on(process)

    def die(self, one: int) -> None:
        self.end(self.current.pop(one))

    def end(self, process: Process) -> None:
        """The process is gone; what it sent stays on its way."""
        gate, process.gate = process.gate, None
        assert gate is not None
        gate.set_exception(Crash())
        self._run(process)

    def approve(self) -> None:
        self.claim()
        if self.ask_about(str(self.job.batch_id)):
            self.answer(well=True)

    def fail(self) -> None:
        (job,) = self._rows(JobState.SUBMITTED)
        next(each for each in self.jobs if each.job_id == job.adobe_job_id).failed = True
        self.ledger.results.record_error(
            job, completed_at=self.now, outcome_code="1020-400", reason="Adobe: error", try_again=True
        )


def replay(trace: Sequence[Event], ledger: Ledger) -> DirectedWorld:
    """Raises AssertionError where the real code comes to another end than the model, Unplayable where it cannot."""
    loop = asyncio.new_event_loop()
    world = DirectedWorld(NoChance(), ledger, loop, daily_limit=20, approve_deletes=True, adobes_limit=1000)
    try:
        world.begin()
        world.play(trace)
        return world
    except BaseException as error:
        error.add_note("\n  ".join(world.log[-60:]))
        raise
    finally:
        for process in list(world.processes):
            world.end(process)
        loop.close()
