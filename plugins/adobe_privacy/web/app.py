"""The web application that Airflow's api-server mounts under /privacy: the page "Privacy requests" and its API.

Airflow does not guard what a plugin mounts. Here every route needs a login and the right to read
(`access.may_read`), and every route that changes something `access.may_write` besides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from airflow.sdk.exceptions import AirflowException
from fastapi import Depends, FastAPI, Request, Response, status
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy.exc import DataError, SQLAlchemyError, StatementError
from starlette.exceptions import HTTPException

from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.seen import HasChanged
from adobe_privacy.links import ORGANISATIONS
from adobe_privacy.organisations import OrganisationError
from adobe_privacy.plain_text import plain, plain_logger
from adobe_privacy.settings import SettingsError
from adobe_privacy.storage import StorageError
from adobe_privacy.web import api, hand_in, pages, result, work
from adobe_privacy.web.access import PREFIX, may_read
from adobe_privacy.web.bodies import LimitedBodies

log = plain_logger(__name__)

HEADERS = {  # of every answer that has none of its own
    # Airflow shows the page in a frame of its own; nobody else may. Nothing comes from elsewhere.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def create_app() -> FastAPI:
    """Opens nothing: ledger and archive are opened by the first call that needs them."""
    app = FastAPI(
        title="Privacy requests",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(may_read)],
    )
    app.state.sources = {}
    # All links within the page are relative, so that each organisation's page is the same one at another address.
    for within in ("", f"/{ORGANISATIONS}/{{organisation}}"):
        app.include_router(pages.router, prefix=within)
        for router in (api.router, hand_in.router, work.router, result.router):
            app.include_router(router, prefix=f"{within}/api")
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(HasChanged, _has_changed)
    for kind in (
        AirflowException,
        LedgerError,
        OrganisationError,
        SettingsError,
        SQLAlchemyError,
        StorageError,
    ):
        app.add_exception_handler(kind, _no_ledger)
    for wrong in (UnicodeError, OverflowError):
        app.add_exception_handler(wrong, _no_value)
    app.add_exception_handler(RequestValidationError, _not_valid)
    # The innermost first: between the other and a route, what it raises is an answer.
    app.add_middleware(LimitedBodies)
    app.middleware("http")(_with_headers)
    return app


async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _within(request: Request) -> str:
    """The path below PREFIX, wherever Airflow itself is served."""
    return request.url.path.partition(f"{PREFIX}/")[2]


def _for_programs(request: Request) -> bool:
    within = _within(request)
    if within.startswith(f"{ORGANISATIONS}/"):
        within = within.split("/", 2)[-1]
    return within.startswith("api/")


async def _refused(request: Request, error: Exception) -> Response:
    """A program gets JSON; a person a page, or Airflow's login."""
    assert isinstance(error, HTTPException)
    if _for_programs(request):
        return await http_exception_handler(request, error)
    if error.status_code == status.HTTP_401_UNAUTHORIZED:
        query = f"?{request.url.query}" if request.url.query else ""
        here = f"{request.base_url.path.rstrip('/')}{PREFIX}/{_within(request)}{query}"
        up = "../" * (1 + _within(request).count("/"))
        return RedirectResponse(
            f"{up}api/v2/auth/login?{urlencode({'next': here})}", status.HTTP_303_SEE_OTHER
        )
    if error.status_code == status.HTTP_303_SEE_OTHER:
        return RedirectResponse((error.headers or {})["Location"], error.status_code)
    return _problem(request, str(error.detail), error.status_code)


async def _has_changed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HasChanged)
    text = f"{error.about} has changed since this page was loaded: load it again."
    return await _refused(request, HTTPException(status.HTTP_409_CONFLICT, text))


async def _no_value(request: Request, _: Exception) -> Response:
    """Half of a character, a number or a date that no ledger can hold: there is nothing of that name."""
    error = HTTPException(status.HTTP_400_BAD_REQUEST, "A value cannot be looked for: correct the call.")
    return await _refused(request, error)


async def _not_valid(_: Request, error: Exception) -> Response:
    """What is wrong, without what was sent: an answer may not be able to hold that."""
    assert isinstance(error, RequestValidationError)
    detail = [
        {"type": each["type"], "loc": [plain(str(part)) for part in each["loc"]], "msg": plain(each["msg"])}
        for each in error.errors()
    ]
    return JSONResponse({"detail": detail}, status.HTTP_422_UNPROCESSABLE_CONTENT)


async def _no_ledger(request: Request, error: Exception) -> Response:
    text = str(error)
    if isinstance(error, DataError) or type(error) is StatementError:
        return await _no_value(request, error)
    if isinstance(error, AirflowException):
        # Another's text, such as of the provider of a store.
        log.error("a connection cannot be used: %s", type(error).__name__)
        text = f"A connection that a setting names cannot be used ({type(error).__name__}): see docs/settings.md."
    if isinstance(error, SQLAlchemyError):
        # The database's own text may quote its address with the password.
        log.error("the ledger does not answer: %s", type(error).__name__)
        text = f"The ledger's database does not answer as expected ({type(error).__name__})."
    if _for_programs(request):
        return JSONResponse({"detail": text}, status.HTTP_503_SERVICE_UNAVAILABLE)
    return _problem(request, text, status.HTTP_503_SERVICE_UNAVAILABLE)


def _problem(request: Request, text: str, code: int) -> Response:
    return pages.templates.TemplateResponse(request, "problem.html", {"text": text}, status_code=code)
