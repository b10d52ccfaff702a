"""A settings value of the wrong type, out of range or encoded twice: one line that names it, and nothing is done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from adobe_privacy import settings
from adobe_privacy.settings import (
    ConnectionFields,
    SettingsError,
    key_settings,
    ledger_settings,
    read_variables,
    service_settings,
)
from tests.hooks.test_look_ups import a_day_is_under_way, arrive, seen, steps
from tests.hooks.test_look_ups import stored as stored
from tests.support.look_ups import Stored
from tests.support.privacy import World

CANARY = "canary-of-a-value"
TWICE = json.dumps(json.dumps([CANARY]))
NOT_A_NUMBER: tuple[Any, ...] = (CANARY, "nan", "1e999", True, [1], {}, -1, TWICE)
NOT_A_COUNT = (*NOT_A_NUMBER, 0, 1.5, 10**10)
NOT_TEXT = (5, True, [CANARY], {"a": CANARY}, TWICE, f"{CANARY}\nb", f"{CANARY}\0")
NOT_YES_OR_NO = (CANARY, 2, ["true"], TWICE, json.dumps("true"))
NOT_NAMES = (5, True, {"a": 1}, [1], TWICE, '["open', [f"{CANARY}\n"])
NOT_AN_OBJECT = (5, [CANARY], CANARY, "{", json.dumps(json.dumps({"a": 1})))

EXTRA: dict[str, tuple[Any, ...]] = {
    "org_id": (*NOT_TEXT, " "),
    "token_url": (*NOT_TEXT, CANARY, "http://example.com/token", "https://u:p@example.com"),
    "scopes": NOT_NAMES,
    "products": (*NOT_NAMES, CANARY, ["analytics", CANARY]),
    "company_contexts": (5, CANARY, {}, [CANARY], [{"namespace": CANARY}], TWICE),
    "daily_job_limit": NOT_A_COUNT,
    "schedule_share": (*NOT_A_NUMBER, 1.01),
    "list_lag": (*NOT_A_NUMBER, 86_401),
    "timeout": (*NOT_A_NUMBER, 0, 3_601),
    "verify": (5, [], f"{CANARY}\n", TWICE),
    "proxy": (*NOT_TEXT, CANARY, "ftp://example.com"),
    "insecure": NOT_YES_OR_NO,
    "strict_identities": NOT_YES_OR_NO,
    "download_hosts": NOT_NAMES,
    "expand_ids": (CANARY, 2, [], TWICE),
    "priority": (CANARY, 5, [], TWICE),
    "merge_policy_id": (True, [], {}, f"{CANARY}\nb", "x" * 129),
    "analytics_delete_method": (CANARY, 5, True, TWICE),
}
KEY: dict[str, tuple[Any, ...]] = {
    "recipients": NOT_NAMES,
    "kms_key_id": NOT_TEXT,
    "aws_conn_id": NOT_TEXT,
    "keys_uri": (*NOT_TEXT, CANARY, "s3://b@a@d"),
}
OPTIONS: dict[str, tuple[Any, ...]] = {
    "keep_rejected": (CANARY, 1, "true", []),
    **dict.fromkeys(("key_conn_id", "signing_conn_id"), (*NOT_TEXT, "")),
    **dict.fromkeys(
        ("max_entries", "max_inflated_bytes", "max_ratio", "ratio_free_bytes", "max_nesting"),
        (CANARY, "5", True, -1, 1.5, []),
    ),
}
VARIABLES: dict[str, tuple[Any, ...]] = {
    "inbox_uri": (*NOT_TEXT, CANARY, "relative/folder", "file://host/folder", "s3://a b"),
    "archive_uri": (*NOT_TEXT, CANARY, "s3://a:p@bucket"),
    "poll_interval": (*NOT_A_NUMBER, 0, 86_401),
    "backfill_patience": (*NOT_A_NUMBER, 0, 47 * 86_400),
    "inbox_retention_days": (*NOT_A_COUNT, 36_501),
    "ledger_retention_months": (*NOT_A_COUNT, 1_201),
    "approve_deletes": NOT_YES_OR_NO,
    "retention_days": (*NOT_AN_OBJECT, {"gdpr": 0}, {"gdpr": "1"}, {CANARY: 1}, {"gdpr": True}),
    "request_id_scheme": (CANARY, "no {place}", TWICE),
    "archive_options": (*NOT_AN_OBJECT, {CANARY: 1}),
    "legal_clocks": ("{", TWICE, "[1]", {"ccpa": 5}, f"/nowhere/{CANARY}.toml"),
    "alarm_notifier": (CANARY, "5", TWICE, {"class": 5}, {"kwargs": {}}, [{"class": "a.B", "kwargs": 5}]),
}
LEDGER: dict[str, tuple[Any, ...]] = {
    "fingerprint_key": (5, True, [CANARY], {}),
    # Mistyped, it would leave the ledger with a key of its own.
    "fingerprint-key": (CANARY,),
}


def as_stored(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def cases(table: dict[str, tuple[Any, ...]]) -> list[Any]:
    return [
        pytest.param(field, value, id=f"{field}-{value!r}"[:60]) for field in table for value in table[field]
    ]


def refused(place: str, *arguments: Any) -> None:
    """What is refused is told in one line, which begins with the place and repeats no value of a connection."""
    read, *rest = arguments
    with pytest.raises(SettingsError) as problem:
        read(*rest)
    assert re.match(rf"(the Airflow variable|connection) {re.escape(place)}\b", str(problem.value))
    assert "\n" not in str(problem.value)
    assert re.search(
        r"\b(must|holds|cannot|is not|is missing|is encoded|names|the location|number \d)", str(problem.value)
    )


def test_every_field_has_values_that_are_refused() -> None:
    assert set(EXTRA) == set(settings._ServiceExtra.model_fields)
    assert set(KEY) == set(settings._KeyExtra.model_fields)
    assert set(OPTIONS) == set(settings.ArchiveOptions.model_fields)
    assert set(VARIABLES) == set(settings.Variables.model_fields)


@pytest.mark.parametrize(("field", "value"), cases(EXTRA))
def test_the_connection_to_adobe(field: str, value: Any) -> None:
    extra = json.dumps({"org_id": "0123456789ABCDEF01234567@AdobeOrg", field: value})
    connection = ConnectionFields("c", "adobe_privacy", login="client", password="secret", extra=extra)
    refused(f"c: extra.{field}", service_settings, connection)


@pytest.mark.parametrize(("field", "value"), cases(KEY))
def test_the_connection_of_the_key(field: str, value: Any) -> None:
    refused(f"k: extra.{field}", key_settings, ConnectionFields("k", extra=json.dumps({field: value})), "k")


@pytest.mark.parametrize(("field", "value"), cases(LEDGER))
def test_the_connection_of_the_ledger(field: str, value: Any) -> None:
    connection = ConnectionFields("l", "sqlite", host="/x", extra=json.dumps({field: value}))
    refused(f"l: extra.{field}", ledger_settings, connection, "l")


@pytest.mark.parametrize(("field", "value"), cases(VARIABLES))
def test_a_variable(field: str, value: Any) -> None:
    refused(f"privacy_{field}", read_variables, {f"privacy_{field}": as_stored(value)})


@pytest.mark.parametrize(("field", "value"), cases(OPTIONS))
def test_an_option_of_the_archive(field: str, value: Any) -> None:
    read = {"privacy_archive_options": json.dumps({field: value})}
    refused(f"privacy_archive_options: {field}", read_variables, read)


def everywhere(stored: Stored) -> Iterator[str]:
    """Puts each bad value where Airflow keeps it, one after the other."""
    for field, values in VARIABLES.items():
        name = f"privacy_{field}"
        good = stored.variables.get(name)
        for value in values:
            stored.variables[name] = as_stored(value)
            yield f"{name} = {value!r}"
        del stored.variables[name]
        if good is not None:
            stored.variables[name] = good
    for conn_id, table in (("adobe_privacy_default", EXTRA), ("the_key", KEY), ("privacy_ledger", LEDGER)):
        good = stored.connections[conn_id]["extra"]
        for field, values in table.items():
            for value in values:
                stored.connections[conn_id]["extra"] = json.dumps(json.loads(good) | {field: value})
                yield f"{conn_id}.{field} = {value!r}"
        stored.connections[conn_id]["extra"] = good


@pytest.mark.parametrize("stored", ["a secrets backend that raises"], indirect=True)
def test_no_task_does_anything_with_a_bad_value(world: World, stored: Stored) -> None:
    batches = a_day_is_under_way(world)
    arrive(world)
    before = seen(world)
    for case in everywhere(stored):
        for step, run in steps(*batches).items():
            with pytest.raises(AirflowFailException) as stopped:
                run()
            assert "\n" not in str(stopped.value), (case, step)
    assert seen(world) == before
