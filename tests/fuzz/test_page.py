"""The parameters of the page's own routes, within a real Airflow: answered, or refused, and never an error of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.web.filters import NAMES
from tests.fuzz.settings import fuzzed
from tests.support.ledgers import received
from tests.web.conftest import LogIn

READ = {
    "": (*NAMES, "after"),
    "request": ("id",),
    "manifest": ("job",),
    "decisions": ("who", "what", "before"),
    "report": ("from", "to", "regulation"),
    "report.html": ("from", "to", "regulation"),
    "evidence.html": ("id",),
    "api/jobs": (*NAMES, "after", "limit"),
    "api/attention": ("attention", "limit"),
    "api/export.csv": NAMES,
    "api/export.json": NAMES,
    "api/request": ("id",),
    "api/manifest": ("job",),
    "api/report": ("from", "to", "regulation"),
    "api/evidence": ("id",),
    "api/decisions": ("who", "what", "before"),
    "api/result": ("job",),
}
SENT = {
    "api/find": ("text",),
    "api/find-person": ("namespace", "value"),
    "api/decide": ("decision", "request_ids", "reason"),
    "api/close-line": ("folder", "file", "line", "reason"),
    "api/hold": ("request_id", "reason"),
    "api/release": ("request_id", "reason"),
    "api/resend": ("request_id", "reason"),
    "api/close": ("request_id", "reason"),
}
SAID = ["DSR-1", "1", "0", "-1", str(2**31), str(2**63), "9" * 40, "all", "gdpr", "2026-11-20", "0001-01-01"]
SAID += ["9999-12-31", "2026-11-20T10:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]
SAID += ["hold", "6053", "\0", "\ud800", "٣", "%00", "'", "a~b", "2026-11-20.1", f"2026-11-20.{9**40}"]
texts = st.sampled_from(SAID) | st.text(max_size=30)
addresses = st.sampled_from(sorted(READ)).flatmap(
    lambda path: st.tuples(st.just(path), st.lists(st.tuples(st.sampled_from(READ[path]), texts), max_size=4))
)
values = texts | st.integers() | st.none() | st.booleans() | st.floats() | st.lists(texts, max_size=3)
sent = st.sampled_from(sorted(SENT)).flatmap(
    lambda path: st.tuples(st.just(path), st.dictionaries(st.sampled_from(SENT[path]), values))
)
ORDERLY = {200, 303, 400, 403, 404, 409, 415, 422, 503}


@pytest.fixture
def officer(ledger: Ledger, log_in: LogIn) -> Any:
    ledger.intake.receive([received(number, "access", "delete") for number in range(3)])
    return log_in("officer")


@fuzzed("page parameters")
@given(addresses)
def test_any_address_is_answered_or_refused(officer: Any, address: tuple[str, list[tuple[str, str]]]) -> None:
    path, parameters = address
    given_ = [(name, text.encode(errors="surrogatepass")) for name, text in parameters]
    answer = officer.get(f"/privacy/{path}", params=given_)
    assert answer.status_code in ORDERLY, (answer.status_code, address)


@fuzzed("page parameters")
@given(sent)
def test_any_body_is_answered_or_refused(officer: Any, call: tuple[str, dict[str, Any]]) -> None:
    path, body = call
    answer = officer.post(
        f"/privacy/{path}", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in ORDERLY, (answer.status_code, call)
