"""The status page at `/`: what the simulator is doing, at a glance. It shows no identity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from html import escape
from itertools import islice

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from simulator_clock import iso
from simulator_state import Simulation
from simulator_switches import Switches

_SHOWN_JOBS = 50
_HIDDEN_SWITCHES = ("client_secret", "token_prefix")
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #8884 }
code { font-size: .95em }
"""


class StatusPage:
    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    def router(self) -> APIRouter:
        router = APIRouter()
        router.add_api_route("/", self.page, methods=["GET"], response_class=HTMLResponse)
        return router

    async def page(self, request: Request) -> Response:
        simulation = self.simulation
        base = escape(f"{request.url.scheme}://{request.url.netloc}")
        now, expire = simulation.now(), simulation.switches.expire_after_days
        counts = Counter((job.regulation, job.action, job.status(now, expire)) for job in simulation.jobs)
        newest = islice(reversed(list(simulation.jobs)), _SHOWN_JOBS)
        jobs = [
            (
                job.job_id,
                job.key or "",
                job.regulation,
                job.action,
                job.status(now, expire),
                iso(job.created_at) or "",
            )
            for job in newest
        ]
        faults = [
            (each["on"], each["kind"], _times(each["times"], each["played"]))
            for each in simulation.faults.waiting()
        ]
        sections = [
            "<h1>Privacy Service simulator</h1>",
            f"<p>API <code>{base}/data/core/privacy</code>, token <code>{base}/ims/token/v3</code></p>",
            f"<p>Simulated time <code>{iso(now)}</code>, {simulation.clock.rate:g} s per real second</p>",
            _table("Calls", ("call", "count"), simulation.counters.calls.items()),
            _table(
                "Jobs",
                ("regulation", "action", "status", "count"),
                ((*key, n) for key, n in sorted(counts.items())),
            ),
            _table("Faults waiting", ("on", "kind", "times"), faults),
            _table("Switches set", ("switch", "value"), _changed_switches(simulation.switches)),
            _table(
                f"Newest jobs (at most {_SHOWN_JOBS})",
                ("job", "key", "regulation", "action", "status", "created"),
                jobs,
            ),
        ]
        head = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta http-equiv="refresh" content="5">'
            f"<title>Privacy Service simulator</title><style>{_STYLE}</style></head>"
        )
        return HTMLResponse(f"{head}<body>{''.join(sections)}</body></html>")


def _times(times: int | None, played: int) -> str:
    return "until deleted" if times is None else f"{played} of {times}"


def _changed_switches(switches: Switches) -> list[tuple[str, str]]:
    usual = Switches().model_dump(mode="json")
    return [
        (name, "…" if name in _HIDDEN_SWITCHES else str(value))
        for name, value in switches.model_dump(mode="json").items()
        if value != usual[name]
    ]


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    if not body:
        return f"<h2>{escape(title)}</h2><p>none</p>"
    header = "".join(f"<th>{escape(column)}</th>" for column in columns)
    return f"<h2>{escape(title)}</h2><table><tr>{header}</tr>{body}</table>"
