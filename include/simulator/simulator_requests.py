"""What the service makes of the bodies and parameters that it is sent, and what it refuses.

Adobe does not document the exact texts of most refusals, only that they are 400s in its envelope; those that
were seen live or in documents are used word for word.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from simulator_answers import Refusal, platform_error, service_error
from simulator_catalogue import (
    IDENTITY_TYPES,
    REGULATIONS,
    RETIRED_REGULATIONS,
    STANDARD_NAMESPACE_IDS,
    product_code,
)
from simulator_clock import DAY
from simulator_switches import Switches

JOBS_PATH = "/data/core/privacy/jobs"
CONSENT_PATH = "/data/core/privacy/consent"
_ORGANISATION_NAMESPACES = ("imsorgid", "imsorg")


@dataclass(frozen=True)
class NewUser:
    key: str | None
    actions: list[str]
    identities: list[dict[str, Any]]


@dataclass(frozen=True)
class NewRequest:
    regulation: str
    products: list[str]
    users: list[NewUser]
    # What companyContexts says of Campaign.
    tenant: str | None = None

    @property
    def job_count(self) -> int:
        return sum(len(user.actions) for user in self.users)


@dataclass(frozen=True)
class ListQuery:
    regulations: tuple[str, ...]
    page: int
    size: int
    status: str | None
    # Seconds since 1970; since <= date < until.
    since: float
    until: float
    out_of_pages: bool


def read_json(content_type: str, body: bytes) -> Any:
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refusal(platform_error("A valid content-type must be specified"))
    try:
        return json.loads(body)
    except ValueError:
        raise Refusal(platform_error("The request body is not valid JSON")) from None


class _Checks:
    """Raises the envelope of one path on a requirement that is not met."""

    def __init__(self, switches: Switches, path: str) -> None:
        self.switches = switches
        self.path = path

    def require(self, met: object, detail: str) -> None:
        if not met:
            raise Refusal(service_error(self.switches, self.path, 400, detail))


def read_new_request(body: Any, organisation: str, switches: Switches) -> NewRequest:
    """Check a POST /jobs body as a whole: one fault refuses all of it. Raises Refusal."""
    checks = _Checks(switches, JOBS_PATH)
    checks.require(isinstance(body, dict), "The request body must be an object")
    _check_contexts(body.get("companyContexts"), organisation, checks)
    regulation = body.get("regulation")
    accepted = _accepted_regulations(switches)
    checks.require(
        regulation in accepted,
        f"The `regulation` field is mandatory. Supported values: [{', '.join(accepted)}]",
    )
    products = _read_products(body.get("include"), checks)
    expand = body.get("expandIds", False)
    checks.require(str(expand).lower() in ("true", "false"), "expandIds must be true or false")
    checks.require(
        body.get("priority", "normal") in ("normal", "low"), "priority must be one of: normal, low"
    )
    checks.require(
        isinstance(body.get("mergePolicyId", 0), str | int), "mergePolicyId must be a string or a number"
    )
    users = body.get("users")
    checks.require(isinstance(users, list) and users, "users must hold at least one user")
    checks.require(len(users) <= switches.max_users, f"users must hold at most {switches.max_users} users")
    return NewRequest(
        str(regulation),
        products,
        [_read_user(user, checks) for user in users],
        _tenant(body["companyContexts"]),
    )


def _tenant(contexts: list[dict[str, Any]]) -> str | None:
    named = (each for each in contexts if str(each.get("namespace", "")).lower() == "campaign")
    return next((str(each["value"]) for each in named if each.get("value")), None)


def quoted(text: str, body: Any) -> str:
    """`text` with what a create call holds in the place of `{keys}`, `{namespaces}`, `{identities}`, `{products}`."""
    users = body.get("users", []) if isinstance(body, dict) else []
    identities = [identity for user in users for identity in user.get("userIDs", [])]
    parts = {
        "keys": [user.get("key") for user in users],
        "namespaces": [identity.get("namespace") for identity in identities],
        "identities": [identity.get("value") for identity in identities],
        "products": body.get("include", []) if isinstance(body, dict) else [],
    }
    for name, values in parts.items():
        text = text.replace(f"{{{name}}}", ", ".join(map(str, values)))
    return text


def _accepted_regulations(switches: Switches) -> tuple[str, ...]:
    if switches.retired_regulations == "accept":
        return REGULATIONS
    return tuple(code for code in REGULATIONS if code not in RETIRED_REGULATIONS)


def _check_contexts(contexts: Any, organisation: str, checks: _Checks) -> None:
    checks.require(isinstance(contexts, list) and contexts, "companyContexts must hold at least one context")
    checks.require(
        all(isinstance(context, dict) for context in contexts), "companyContexts must hold objects"
    )
    named = [each for each in contexts if str(each.get("namespace", "")).lower() in _ORGANISATION_NAMESPACES]
    checks.require(named, "companyContexts must hold the namespace imsOrgID")
    checks.require(
        all(context.get("value") == organisation for context in named),
        "companyContexts: the value of imsOrgID differs from the header x-gw-ims-org-id",
    )


def _read_products(include: Any, checks: _Checks) -> list[str]:
    switches = checks.switches
    checks.require(isinstance(include, list) and include, "include must hold at least one product")
    checks.require(all(isinstance(each, str) for each in include), "include must hold product names")
    products = [product_code(spelling) for spelling in include]
    checks.require(None not in products, "include holds an unknown product")
    known = [product for product in products if product is not None]
    checks.require(len(set(known)) == len(known), "include must hold each product once")
    missing = [product for product in known if product in switches.unprovisioned_products]
    if switches.unprovisioned_mode == "400":
        checks.require(not missing, "include holds a product that the organisation is not provisioned for")
    if switches.unprovisioned_mode == "ignore":
        known = [product for product in known if product not in missing]
    return known


def _read_user(user: Any, checks: _Checks) -> NewUser:
    checks.require(isinstance(user, dict), "users must hold objects")
    key, actions, identities = user.get("key"), user.get("action"), user.get("userIDs")
    checks.require("key" not in user or (isinstance(key, str) and key), "users.key must be a string")
    checks.require(isinstance(actions, list) and actions, "users.action must hold at least one action")
    known = all(action in ("access", "delete") for action in actions)
    checks.require(known and len(set(actions)) == len(actions), "users.action must be access, delete or both")
    checks.require(
        isinstance(identities, list) and identities, "users.userIDs must hold at least one identity"
    )
    limit = checks.switches.max_identities
    checks.require(len(identities) <= limit, f"users.userIDs must hold at most {limit} identities")
    return NewUser(key, actions, [_read_identity(identity, checks) for identity in identities])


def _read_identity(identity: Any, checks: _Checks) -> dict[str, Any]:
    checks.require(isinstance(identity, dict), "users.userIDs must hold objects")
    namespace, value, kind = identity.get("namespace"), identity.get("value"), identity.get("type")
    namespace_id = identity.get("namespaceId")
    # A truth value is an integer to Python alone.
    numbered = isinstance(namespace_id, int) and not isinstance(namespace_id, bool)
    checks.require("namespaceId" not in identity or numbered, "users.userIDs.namespaceId must be an integer")
    deleted_there = identity.get("isDeletedClientSide", False)
    checks.require(isinstance(deleted_there, bool), "users.userIDs.isDeletedClientSide must be true or false")
    has_namespace = (isinstance(namespace, str) and namespace) or ("namespace" not in identity and numbered)
    checks.require(has_namespace, "users.userIDs.namespace is mandatory")
    checks.require(namespace not in checks.switches.refused_namespaces, f"Invalid namespace: {namespace}")
    checks.require(isinstance(value, str) and value, "users.userIDs.value is mandatory")
    checks.require(
        isinstance(kind, str) and kind in IDENTITY_TYPES,
        f"users.userIDs.type must be one of: {', '.join(sorted(IDENTITY_TYPES))}",
    )
    resolved = {"namespace": namespace, "value": value, "type": kind}
    number = _namespace_id(str(namespace), str(kind)) if namespace_id is None else namespace_id
    if number is not None:
        resolved["namespaceId"] = number
    return resolved | {"isDeletedClientSide": deleted_there}


def _namespace_id(namespace: str, kind: str) -> int | None:
    if kind == "standard":
        return STANDARD_NAMESPACE_IDS.get(namespace.lower())
    if kind == "namespaceId" and namespace.isdigit():
        return int(namespace)
    if kind == "custom":
        return 10_000_000 + zlib.crc32(namespace.encode()) % 10_000_000
    return None


def read_consent(body: Any, switches: Switches) -> list[dict[str, Any]]:
    """The entities of a POST /consent body. Raises Refusal."""
    checks = _Checks(switches, CONSENT_PATH)
    checks.require(isinstance(body, dict), "The request body must be an object")
    checks.require(isinstance(body.get("optOutOfSale"), bool), "optOutOfSale must be true or false")
    entities = body.get("entities")
    checks.require(isinstance(entities, list) and entities, "entities must hold at least one entity")
    for entity in entities:
        checks.require(isinstance(entity, dict), "entities must hold objects")
        namespace, values = entity.get("nameSpace"), entity.get("values")
        checks.require(isinstance(namespace, str), "entities.nameSpace is mandatory")
        checks.require(
            str(namespace).lower() in STANDARD_NAMESPACE_IDS,
            "entities.nameSpace must be a standard namespace",
        )
        checks.require(isinstance(values, list) and values, "entities.values must hold at least one value")
        checks.require(
            all(isinstance(value, str) and value for value in values), "entities.values must be strings"
        )
        checks.require(len(set(values)) == len(values), "entities.values must be unique")
    return list(entities)


def read_list_query(parameters: Mapping[str, str], now: float, switches: Switches) -> ListQuery:
    """Check the parameters of GET /jobs. Raises Refusal."""
    checks = _Checks(switches, JOBS_PATH)
    regulation = parameters.get("regulation")
    checks.require(
        regulation in REGULATIONS,
        f"The `regulation` parameter is mandatory. Supported values: [{', '.join(REGULATIONS)}]",
    )
    page = _number(parameters.get("page", str(switches.page_base)), "page", checks)
    size = _number(parameters.get("size", str(switches.page_size_default)), "size", checks)
    limit = switches.page_size_max
    checks.require(size <= limit, f"Page size exceeded,Maximum page size supported is {limit}")
    checks.require(size >= 1, "size must be at least 1")
    index = page - switches.page_base
    if index == -1 and switches.page_zero == "refuse":
        checks.require(False, "page must be at least 1")
    if index == -1 and switches.page_zero == "first_page":
        index = 0
    status = parameters.get("status")
    allowed = ["processing", "complete", "error"] + (
        [] if switches.refuse_submitted_filter else ["submitted"]
    )
    checks.require(status is None or status in allowed, f"status must be one of: {', '.join(allowed)}")
    since, until = _read_window(parameters, now, checks)
    both = switches.gdpr_lists_ccpa and regulation == "gdpr"
    regulations = ("gdpr", "ccpa") if both else (str(regulation),)
    return ListQuery(regulations, max(index, 0), size, status, since, until, out_of_pages=index < 0)


def _read_window(parameters: Mapping[str, str], now: float, checks: _Checks) -> tuple[float, float]:
    """A `filterDate` wins over from and to; what the real service does with all three is not documented."""
    switches = checks.switches
    today = datetime.fromtimestamp(now, UTC).date()
    first, last = parameters.get("fromDate"), parameters.get("toDate")
    if "filterDate" in parameters:
        first = last = parameters["filterDate"]
    checks.require((first is None) == (last is None), "fromDate and toDate must be given together")
    if first is None or last is None:
        return now - switches.default_window_days * DAY, float("inf")
    start, end = _date(first, checks), _date(last, checks)
    checks.require(start <= end, "fromDate must not be after toDate")
    checks.require(
        (end - start).days <= switches.span_days, f"The date range must not exceed {switches.span_days} days"
    )
    checks.require(end <= today or switches.future_to_date == "accept", "toDate must not be in the future")
    oldest = today - timedelta(days=switches.lookback_days)
    checks.require(start >= oldest, f"fromDate must be within the last {switches.lookback_days} days")
    whole_day = "filterDate" in parameters or switches.to_date_inclusive
    return _midnight(start), _midnight(end) + (DAY if whole_day else 0)


def _date(text: str, checks: _Checks) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        checks.require(False, "Dates must have the form YYYY-MM-DD")
        raise


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _number(text: str, name: str, checks: _Checks) -> int:
    checks.require(text.isascii() and text.isdigit() and len(text) < 10, f"{name} must be a number")
    return int(text)
