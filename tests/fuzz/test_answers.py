"""Adobe's answers, manifests, results and parameters of the page, whatever they hold: read, or refused in order."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from fastapi import HTTPException
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.datastructures import QueryParams

from adobe_privacy.api.bodies import parse
from adobe_privacy.api.error_bodies import error_for
from adobe_privacy.api.errors import PrivacyServiceError
from adobe_privacy.api.models import CreatedJobs, JobDetail, ListPage
from adobe_privacy.archive import InvalidArchive, ZipCheck, ZipLimits
from adobe_privacy.archive.errors import UnreadableManifest
from adobe_privacy.archive.manifest import parse_manifest
from adobe_privacy.web.filters import NAMES, Query
from tests.archive.zips import RESULT, make_zip
from tests.fuzz.settings import fuzzed

NOW = datetime(2026, 11, 20, tzinfo=UTC)
NAMES_OF_ANSWERS = [
    *(
        "jobId",
        "requestId",
        "jobs",
        "jobDetails",
        "regulation",
        "action",
        "status",
        "productResponses",
        "product",
    ),
    *(
        "processedDate",
        "retryCount",
        "createdDate",
        "lastModifiedDate",
        "userKey",
        "downloadUrl",
        "message",
        "errors",
    ),
    *(
        "totalRecords",
        "page",
        "size",
        "customer",
        "user",
        "userIDs",
        "productStatusResponse",
        "messageCode",
        "title",
    ),
    *(
        "format",
        "job_id",
        "completed_at",
        "archived_at",
        "object",
        "sha256",
        "members",
        "products",
        "sealed",
        "limits",
    ),
]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["complete", "12/31/9999 10:00 AM GMT", "2026-11-20T10:00:00Z", "0001-01-01T00:00:00+14:00"]
    ),
    lambda each: (
        st.lists(each, max_size=4) | st.dictionaries(st.sampled_from(NAMES_OF_ANSWERS), each, max_size=8)
    ),
    max_leaves=25,
)
bodies = values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60)


@pytest.mark.parametrize("model", [ListPage, JobDetail, CreatedJobs])
@fuzzed("answers")
@given(bodies)
def test_any_answer_is_read_or_none(model: type[BaseModel], body: bytes) -> None:
    found = parse(model, body)
    assert found is None or isinstance(found, model)


@fuzzed("answers")
@given(
    st.integers(300, 599),
    bodies,
    st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text(max_size=20)),
)
def test_any_refusal_is_one_of_our_errors(status: int, body: bytes, headers: dict[str, str]) -> None:
    error = error_for("POST", "/jobs", status, headers, body, creates=True, now=NOW)
    assert isinstance(error, PrivacyServiceError)
    assert len(str(error)) < 2000


@fuzzed("manifests")
@given(bodies)
def test_any_manifest_is_read_or_named(body: bytes) -> None:
    with pytest.raises(UnreadableManifest, match=r"^jobs/gdpr/2026/11/20/x/manifest\.json"):
        parse_manifest("jobs/gdpr/2026/11/20/x/manifest.json", body)


INNER = make_zip(RESULT)
ARCHIVES = [make_zip(RESULT), make_zip([("inner.zip", INNER)], streamed=True), make_zip(RESULT, zip64=True)]


@fuzzed("ZIP check")
@given(st.sampled_from(ARCHIVES), st.integers(0, 2**32), st.integers(0, 12), st.integers(1, 4000))
def test_any_damage_of_a_result_is_taken_or_refused(
    archive: bytes, seed: int, times: int, piece: int
) -> None:
    random, data = Random(seed), bytearray(archive)
    for _ in range(times):
        at = random.randrange(len(data))
        if random.random() < 0.5:
            data[at] = random.choice((0, 1, 0x7F, 0xFF, random.randrange(256)))
        elif random.random() < 0.5:
            del data[at : at + random.randrange(1, 20)]
        else:
            data[at:at] = data[:: random.randrange(50, 90)]
    checker = ZipCheck(ZipLimits(max_inflated_bytes=10_000_000))
    with suppress(InvalidArchive):
        for start in range(0, len(data), piece):
            checker.feed(bytes(data[start : start + piece]))
        checker.finish()


parameters: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from([*NAMES, "after", "x"]),
    st.text(max_size=40)
    | st.sampled_from(
        ["all", "2026-11-20.1", "2026-11-20", "9999-99-99", "0.0", f"2026-11-20.{9**40}", "\0", "٠"]
    ),
)


@fuzzed("page parameters")
@given(parameters)
def test_any_parameters_of_the_page_are_read_or_refused(given_: dict[str, Any]) -> None:
    query = None
    with suppress(HTTPException):
        query = Query(QueryParams(given_))
    if query is not None:
        assert query.link().startswith(("?", "./"))
        assert query.filters.chosen_states
