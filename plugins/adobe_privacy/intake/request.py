"""One privacy request as the controller hands it in, and what makes it unusable."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from adobe_privacy.api.facts import MAX_IDENTITIES
from adobe_privacy.api.names import include_codes, product_code
from adobe_privacy.regulations.codes import (
    REGULATIONS,
    AmbiguousRegulation,
    UnknownRegulation,
    canonical_regulation,
)

# Journey Optimizer guide, "Privacy requests": its delete stays in process until those of these exist.
UPSTREAM_OF_CJM = ("profileService", "identity", "aepDataLake")
# What the ledger keeps of a request's products, comma-separated.
MAX_PRODUCTS_LENGTH = 512
# Separates the part number in the user key of a split request; no request id may contain it.
PART_SEPARATOR = "~"


# Consent guide: "only standard namespaces". The list is the API guide's appendix, "Standard identity namespaces",
# and AAID, which Analytics' own guide adds.
STANDARD_NAMESPACES = frozenset(
    ["aaid", "adcloud", "core", "ecid", "email", "gaid", "idfa", "phone", "tntid", "waid"]
)


class Action(StrEnum):
    ACCESS = "access"
    DELETE = "delete"
    OPT_OUT_OF_SALE = "opt_out_of_sale"


# Privacy Service API guide, appendix "Identity types"; `dpsc` is the legacy one and not offered.
IdentityType = Literal[
    "standard", "custom", "integrationCode", "namespaceId", "unregistered", "analytics", "target"
]


def _request_id(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/#-]*", value):
        raise ValueError(
            "must begin with a letter or digit and hold only letters, digits and . _ : / # - "
            "(it is sent to Adobe as the user key, so an e-mail address is refused)"
        )
    digits = re.sub(r"[^0-9]", "", value)
    if 7 <= len(digits) <= 15 and not re.search(r"[A-Za-z]", value):
        raise ValueError("looks like a phone number: use the case number, with a letter in it")
    return value


def _regulation(value: str) -> str:
    try:
        current = canonical_regulation(value)
    except AmbiguousRegulation as error:
        raise ValueError(str(error)) from None
    except UnknownRegulation as error:
        # What stands there may be anything, a name in the wrong column too: it is not repeated.
        close = f" (perhaps {', '.join(error.close_matches)})" if error.close_matches else ""
        raise ValueError(
            f"not one of Adobe's regulation codes{close}; docs/legal-clocks.md lists them"
        ) from None
    if value.strip().lower() not in REGULATIONS:
        raise ValueError(f"the code {value!r} is retired at Adobe: write {current!r}")
    return current


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True
    )


class Identity(_Strict):
    """One identifier of a data subject. Its value never shows in a repr or an error."""

    namespace: Annotated[str, Field(min_length=1, max_length=128)]
    value: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]
    type: IdentityType = "standard"

    @field_validator("namespace", "value")
    @classmethod
    def _printable(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("holds a control character")
        return value


class PrivacyRequest(_Strict):
    """A valid line of the inbox. `received_at` is the inbox folder's date where the line gives none."""

    request_id: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_request_id)]
    received_at: datetime
    regulation: Annotated[str, AfterValidator(_regulation)]
    actions: Annotated[tuple[Action, ...], Field(min_length=1)]
    identities: Annotated[tuple[Identity, ...], Field(min_length=1)]
    products: tuple[
        Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")], ...
    ] = ()

    @field_validator("received_at")
    @classmethod
    def _aware(cls, value: datetime) -> datetime:
        # Far from it, a due date could not be computed.
        if not 2000 <= value.year < 2100:
            raise ValueError("is not between the years 2000 and 2100")
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    @field_validator("actions")
    @classmethod
    def _each_action_once(cls, value: tuple[Action, ...]) -> tuple[Action, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names an action twice")
        return tuple(sorted(value))

    @field_validator("products")
    @classmethod
    def _each_product_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        codes = include_codes(value)
        if len(codes) != len(value):
            raise ValueError("names a product twice, perhaps in two spellings")
        if len(",".join(codes)) > MAX_PRODUCTS_LENGTH:
            raise ValueError(f"together longer than {MAX_PRODUCTS_LENGTH} characters")
        return tuple(sorted(codes, key=str.lower))

    @field_validator("identities")
    @classmethod
    def _known_formats(cls, value: tuple[Identity, ...]) -> tuple[Identity, ...]:
        for number, identity in enumerate(value):
            # "AAID" as Adobe Analytics wants it (Analytics "Data privacy labels", cookie formats).
            if identity.namespace.upper() == "AAID" and not re.fullmatch(
                r"[1-9A-F][0-9A-F]{0,15}-[1-9A-F][0-9A-F]{0,15}", identity.value
            ):
                raise ValueError(
                    f"number {number}: an AAID is two upper-case hexadecimal numbers without leading zeros, "
                    "joined by '-'; Adobe Analytics refuses another format"
                )
            if identity.namespace.lower() == "email" and "@" not in identity.value:
                raise ValueError(f"number {number}: not an e-mail address")
        return value

    def content(self) -> bytes:
        """What makes two requests of one id the same request: not when it was received, and no order."""
        products = sorted(product.lower() for product in self.products)
        return json.dumps(
            [self.regulation, self.actions, sorted(self._distinct()), products], ensure_ascii=False
        ).encode()

    def parts(self) -> list[tuple[Identity, ...]]:
        """The identities in groups that fit one user at Adobe: the same groups for the same content, however
        the line lists them, for the parts may be sent on different days."""
        distinct = self._distinct()
        identities = [distinct[name] for name in sorted(distinct)]
        step = MAX_IDENTITIES
        return [tuple(identities[start : start + step]) for start in range(0, len(identities), step)]

    def _distinct(self) -> dict[tuple[str, str, str], Identity]:
        return {(i.namespace.lower(), i.type, i.value): i for i in self.identities}


def user_key(request_id: str, part: int) -> str:
    """The user key at Adobe: the request id, with the part's number from the second part on."""
    return request_id if part == 1 else f"{request_id}{PART_SEPARATOR}{part}"


def request_id_in(key: str) -> str | None:
    """The request id in a user key, the inverse of `user_key`; None for a key that no request of ours has."""
    return _safe_request_id(key.split(PART_SEPARATOR, 1)[0])


class UnusableRequest(ValueError):
    """A line cannot be used; the text says why without quoting any value of it."""

    def __init__(self, reason: str, request_id: str | None = None) -> None:
        super().__init__(reason)
        self.request_id = request_id


def parse_request(fields: dict[str, Any], day: date) -> PrivacyRequest:
    """Builds the request of one inbox line. Raises UnusableRequest."""
    if fields.get("received_at") in (None, ""):
        fields = fields | {"received_at": datetime.combine(day, time(), UTC)}
    try:
        return PrivacyRequest.model_validate(fields)
    except ValidationError as error:
        raise UnusableRequest(explain(error), _safe_request_id(fields.get("request_id"))) from None


def explain(error: ValidationError) -> str:
    """A validation error in one line: field and expectation, never the value."""
    return "; ".join(_sentences(error))


def _sentences(error: ValidationError) -> Iterable[str]:
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        where = ".".join(str(step) for step in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            # The name of an unknown field is input as well: it may be somebody's address.
            where, what = "", "a field that is not one of " + ", ".join(PrivacyRequest.model_fields)
        yield f"{where}: {what}" if where else what


def _safe_request_id(value: Any) -> str | None:
    try:
        return _request_id(value) if isinstance(value, str) and len(value) <= 128 else None
    except ValueError:
        return None


def check_products(actions: Iterable[str], products: Iterable[str]) -> str | None:
    """Why a request for these would be refused or never finish, or None."""
    chosen = {product_code(product) for product in products}
    if not chosen:
        return "products: none given, and the connection has no default in extra.products"
    missing = [product for product in UPSTREAM_OF_CJM if product not in chosen]
    if "cjm" in chosen and Action.DELETE in actions and missing:
        return f"products: a delete for cjm never finishes without {', '.join(missing)}"
    return None


def check_opt_out(request: PrivacyRequest) -> str | None:
    """Why an opt-out of sale for these identities would be refused, or None."""
    for number, identity in enumerate(request.identities):
        if identity.type != "standard" or identity.namespace.lower() not in STANDARD_NAMESPACES:
            return (
                f"identities: number {number} is in no standard namespace, and Adobe takes an opt-out of sale for "
                "those only; send the opt-out as a request of its own, with an id of its own"
            )
    return None
