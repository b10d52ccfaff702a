"""The HTML of the page: the list, one request, one manifest, the report, and the files that these need.

What ends in `.html` is a document by itself, to be printed or kept: it needs no other file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request, Response, status
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from markupsafe import Markup, escape

from adobe_privacy.api.names import OUTCOME_CODES, PRODUCTS, Verdict
from adobe_privacy.intake.catalogue import IDENTITY_TYPES, PRODUCT_USES, STANDARD_NAMESPACES
from adobe_privacy.intake.hand_in import KINDS
from adobe_privacy.intake.request import Action
from adobe_privacy.ledger.access import WHAT
from adobe_privacy.ledger.attention import BY_NAME, LASTING
from adobe_privacy.ledger.states import FAILED_STATES, JobState
from adobe_privacy.links import ORGANISATIONS
from adobe_privacy.organisations import DEFAULT, Organisation
from adobe_privacy.regulations.codes import REGULATIONS
from adobe_privacy.reporting.reports import PERIODS, evidence_html, figures_body, figures_html
from adobe_privacy.web.access import MayDownloadDep, MayRunDep, MayWriteDep, dag_of, organisation_in
from adobe_privacy.web.chart import chart
from adobe_privacy.web.filters import ALL, PeriodDep, QueryDep
from adobe_privacy.web.read import (
    read_evidence,
    read_manifest,
    read_manifests,
    read_needs,
    read_overview,
    read_page,
    read_report,
    read_request,
    today,
)
from adobe_privacy.web.sentences import dated, day_words, moment_text
from adobe_privacy.web.source import SourceDep
from adobe_privacy.web.what_to_do import BUTTONS
from adobe_privacy.web.words import LABELS, STATES
from adobe_privacy.web.work import FilterDep, read_decisions

HERE = Path(__file__).parent
SHOWN, SHOWN_OF_INBOX = 20, 200  # of all that needs a person; of one kind of what the inbox has
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FILES = {path.name: path.read_bytes() for path in sorted((HERE / "static").iterdir())}
# Part of their addresses, so that a browser may keep them until they change.
VERSION = sha256(b"".join(FILES.values())).hexdigest()[:12]
# A document's style is within it. Nothing else is allowed, so there is nothing that a style could fetch.
DOCUMENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)


def _switch(request: Request) -> dict[str, Any]:
    """The choice of organisation, of those that the user may see; none where there is only one."""
    known = getattr(request.state, "organisations", [])
    here = organisation_in(request)
    up = "" if here == DEFAULT else "../../"
    links = {
        name: (up or "./") if name == DEFAULT else f"{up or './'}{ORGANISATIONS}/{name}/" for name in known
    }
    return {
        "organisation": here,
        "organisations": links if len(links) > 1 else {},
        # Airflow's own pages, and the DAG of this organisation.
        "root": f"../{up}",
        "dag_id": dag_of(here),
        "own": Organisation(here).own,
    }


templates = Jinja2Templates(HERE / "templates", context_processors=[_switch])


def _moment(value: str | None) -> Markup:
    """A moment as the API has it, which the browser writes in the zone of Airflow's UI; a dash where there is none."""
    if not value:
        return Markup("–")
    text = escape(moment_text(value))
    return Markup(f'<time datetime="{escape(value)}" data-moment title="{text} UTC">{text}</time>')


def _options(values: Sequence[str], chosen: str, unset: str, words: Mapping[str, str]) -> Markup:
    """The options of a select; the empty value is called `unset`."""
    return Markup(
        "".join(
            f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>'
            f"{escape(words.get(value, value) or unset)}</option>"
            for value in values
        )
    )


# Macros of the templates would do the same in a multiple of the time, and a page has hundreds of each.
templates.env.filters |= {
    "day": day_words,
    "dated": dated,
    "moment": _moment,
    "number": "{:,}".format,
    "query_value": lambda value: quote(str(value), safe=""),
}
templates.env.globals |= {
    "options": _options,
    "states": STATES,
    "labels": {state.value: label for state, label in LABELS.items()} | {ALL: "all"},
    "failed_states": FAILED_STATES,
    "kinds": LASTING,
    "kinds_by_name": BY_NAME,
    "kind_words": {kind.name: kind.many for kind in LASTING},
    "what_to_do": BUTTONS,
    "version": VERSION,
}
router = APIRouter()


@router.get("/", response_class=HTMLResponse)
def page(request: Request, source: SourceDep, query: QueryDep, may_write: MayWriteDep) -> Response:
    with source.ledger().unit.read_together():
        overview = read_overview(source)
        found = read_page(source, query, limit=50)
        # Jobs of one kind are listed below, page by page.
        one_kind = query.filters.attention is not None
        shown = SHOWN if query.attention is None else SHOWN_OF_INBOX
        needs = [] if one_kind else read_needs(source, query.attention, shown + 1, overview["attention"])
    return templates.TemplateResponse(
        request,
        "page.html",
        {
            "overview": overview,
            "bar": list(_bar(overview["states"])),
            "chart": chart(overview["days"]),
            "found": found,
            "needs": needs[:shown],
            "more_needs": len(needs) > shown,
            "query": query,
            "may_write": may_write,
            "namespaces": [*STANDARD_NAMESPACES],
            "choices": {
                "state": ["", *(state.value for state in JobState), ALL],
                "attention": ["", *(kind.name for kind in LASTING if kind.states)],
                "regulation": ["", *REGULATIONS],
                "action": ["", *(action.value for action in Action)],
                "product": ["", *PRODUCTS],
                "verdict": ["", *Verdict],
                "code": ["", *OUTCOME_CODES],
            },
            "code_words": {code: f"{code} {row.title}" for code, row in OUTCOME_CODES.items()},
        },
    )


def _bar(states: dict[str, int]) -> Iterator[dict[str, Any]]:
    """The parts of the progress bar, of a thousand; what is there is seen, however few they are."""
    total = sum(states.values())
    if not total:
        return
    widths = {state: max(6, count * 1000 / total) for state, count in states.items() if count}
    scale = 1000 / sum(widths.values())
    left = 0.0
    # What is done comes first, as in any progress bar.
    for state in reversed(JobState):
        if state.value in widths:
            width = widths[state.value] * scale
            yield {"state": state.value, "left": round(left, 2), "width": round(width, 2)}
            left += width


@router.get("/request", response_class=HTMLResponse)
def one_request(
    request: Request, source: SourceDep, id: str, may_write: MayWriteDep, may_download: MayDownloadDep
) -> Response:
    told = read_request(source, id)
    archived = [job for job in told["jobs"] if job["manifest"]]
    keys = {job["manifest"]: job["manifest_sha256"] for job in archived}
    manifests = dict(zip(keys, read_manifests(source, keys), strict=True))
    answers = {job["id"]: manifests[job["manifest"]] for job in archived}
    return templates.TemplateResponse(
        request,
        "request.html",
        {"request_words": told, "answers": answers, "may_write": may_write, "may_download": may_download},
    )


@router.get("/new", response_class=HTMLResponse)
def new(request: Request, may_write: MayWriteDep, may_run: MayRunDep) -> Response:
    return templates.TemplateResponse(
        request,
        "new.html",
        {
            "may_write": may_write,
            "may_run": may_run,
            "regulations": REGULATIONS,
            "actions": [action.value for action in Action],
            "products": [(product, PRODUCT_USES[product].in_words) for product in PRODUCTS],
            "namespaces": [*STANDARD_NAMESPACES],
            "types": IDENTITY_TYPES,
            "kinds": KINDS,
        },
    )


@router.get("/decisions", response_class=HTMLResponse)
def decisions(request: Request, source: SourceDep, chosen: FilterDep) -> Response:
    found = read_decisions(source, chosen)
    return templates.TemplateResponse(
        request, "decisions.html", {"found": found, "chosen": chosen, "what": WHAT}
    )


@router.get("/manifest", response_class=HTMLResponse)
def manifest(request: Request, source: SourceDep, job: int) -> Response:
    found = read_manifest(source, job)
    text = json.dumps(found, indent=2, ensure_ascii=False)
    return templates.TemplateResponse(request, "manifest.html", {"job": job, "manifest": found, "text": text})


@router.get("/report", response_class=HTMLResponse)
def report(request: Request, source: SourceDep, period: PeriodDep) -> Response:
    # Not before somebody has named a period: a year of a large ledger takes its seconds.
    asked = bool(request.query_params)
    body = Markup(figures_body(read_report(source, period))) if asked else None
    return templates.TemplateResponse(
        request,
        "report.html",
        {
            "period": period,
            "presets": {name: days(today()) for name, days in PERIODS.items()},
            "regulations": REGULATIONS,
            "body": body,
        },
    )


@router.get("/report.html", response_class=HTMLResponse)
def report_document(source: SourceDep, period: PeriodDep) -> Response:
    return _document(figures_html(read_report(source, period)))


@router.get("/evidence.html", response_class=HTMLResponse)
def evidence_document(source: SourceDep, id: str) -> Response:
    return _document(evidence_html(read_evidence(source, id)))


def _document(html: str) -> Response:
    return HTMLResponse(html, headers={"Content-Security-Policy": DOCUMENT_POLICY})


@router.get("/static/{name}")
def static(name: str) -> Response:
    if name not in FILES:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such file.")
    kept = {"Cache-Control": "private, max-age=86400"}
    return Response(FILES[name], media_type=TYPES[Path(name).suffix], headers=kept)
