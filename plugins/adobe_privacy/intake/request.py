"""One privacy request as the controller hands it in, and what makes it unusable."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    field_validator,
)

from adobe_privacy.api.facts import MAX_IDENTITIES
from adobe_privacy.api.names import include_codes
from adobe_privacy.intake.bounds import MAX_FIELDS, MAX_OF_ONE_PERSON, too_many
from adobe_privacy.intake.catalogue import (
    PLATFORM,
    STANDARD_NAMESPACES,
    Context,
    IdentityType,
    concerns,
    identity_type,
    perhaps,
    standard_namespace,
    unknown_product,
    without_tenant,
)
from adobe_privacy.intake.explained import explain
from adobe_privacy.intake.options import CompanyContext, RequestOptions, unusual
from adobe_privacy.intake.signs import odd_signs
from adobe_privacy.intake.values import is_request_id, request_id_fault, value_concern, value_fault
from adobe_privacy.regulations.codes import (
    REGULATIONS,
    AmbiguousRegulation,
    UnknownRegulation,
    canonical_regulation,
)

# A person may have more devices and cookies than addresses.
MANY_ADDRESSES = 5
# How far `received_at` may lie from the folder's day: a day for the time zones, a year for old paper.
AFTER_FOLDER, BEFORE_FOLDER = timedelta(days=1), timedelta(days=366)
# Separates the part number in the user key of a split request; no request id may contain it.
PART_SEPARATOR = "~"
CONFLICT = "request_id: known already with other content; a changed request needs an id of its own"
IDENTITY_FIELDS = ("namespace", "value", "type", "isDeletedClientSide")


class Action(StrEnum):
    ACCESS = "access"
    DELETE = "delete"
    OPT_OUT_OF_SALE = "opt_out_of_sale"


def _action(text: str) -> str:
    plain = text.strip().lower()
    # Adobe writes it in several ways itself.
    return Action.OPT_OUT_OF_SALE if re.sub(r"[-_ ]", "", plain) == "optoutofsale" else plain


def is_action(text: str) -> bool:
    return _action(text) in set(Action)


def _request_id(value: str) -> str:
    if value.lower().startswith("adobe:"):
        raise ValueError("begins with adobe: as the ledger's own names for jobs that others made do")
    if fault := request_id_fault(value):
        raise ValueError(fault)
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
        frozen=True,
        extra="forbid",
        str_strip_whitespace=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )


def _type(value: Any) -> Any:
    """In any case; None, as programs write what is not there, is the standard type."""
    if value is None:
        return "standard"
    return identity_type(value) or value if isinstance(value, str) else value


# Python takes any sign between the two, that of a zone too.
_DATE_AND_TIME = re.compile(r"[\dW-]+[Tt\s]\d")


def _received_at(value: Any) -> datetime | date:
    """A day where no time was written: it came some time on that day, wherever the law holds."""
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        return value
    elif isinstance(value, str):
        text = value.strip()
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(text if _DATE_AND_TIME.match(text) else "")
        except ValueError:
            raise ValueError("must be a date and time such as 2026-11-20T09:30:00Z, or a date") from None
    else:
        raise ValueError("must be text such as 2026-11-20T09:30:00Z")
    if not 1 < moment.year < 9999:  # near the ends, a zone leads beyond them
        raise ValueError("is in no year that can be meant")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Identity(_Strict):
    """One identifier of a data subject. Its value never shows in a repr or an error.

    `is_deleted_client_side` is what Adobe's browser library says of it; it is handed on and means nothing here.
    """

    namespace: Annotated[str, Field(min_length=1, max_length=128)]
    value: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]
    type: Annotated[IdentityType, BeforeValidator(_type)] = "standard"
    is_deleted_client_side: bool = Field(default=False, alias="isDeletedClientSide")

    def fault(self) -> str | None:
        """Why it cannot be sent, or None."""
        if not self.value.isprintable() or not self.namespace.isprintable():
            return "holds a control character"
        if "\ufffd" in self.value or "\ufffd" in self.namespace:
            return "holds a character that could not be read; save the file as UTF-8"
        namespace = self.namespace.lower()
        if self.type == "standard":
            if standard_namespace(namespace) is None:
                return (
                    f"the namespace is not a standard one{perhaps(namespace, tuple(STANDARD_NAMESPACES))}; a namespace "
                    "of your own needs its type"
                )
        elif self.type == "namespaceId" and not re.fullmatch(r"0|[1-9][0-9]*", namespace):
            return "with the type namespaceId, the namespace is a number, without zeros before it"
        return value_fault(namespace, self.value, self.type)


class PrivacyRequest(RequestOptions):
    """A valid line of the inbox. `products` are include codes.

    `received_at` is a day where the line gives no time, and the inbox folder's day where it gives nothing.
    """

    request_id: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_request_id)]
    received_at: Annotated[datetime | date, PlainValidator(_received_at)]
    regulation: Annotated[str, AfterValidator(_regulation)]
    actions: Annotated[tuple[Action, ...], Field(min_length=1)]
    identities: Annotated[tuple[Identity, ...], Field(min_length=1, max_length=MAX_OF_ONE_PERSON)]
    products: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = ()

    @field_validator("actions", mode="before")
    @classmethod
    def _in_any_case(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [_action(each) if isinstance(each, str) else each for each in value]
        return value

    @field_validator("actions")
    @classmethod
    def _each_action_once(cls, value: tuple[Action, ...]) -> tuple[Action, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names an action twice")
        return tuple(sorted(value))

    @field_validator("products")
    @classmethod
    def _each_product_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for number, product in enumerate(value):
            if fault := unknown_product(product):
                raise ValueError(f"number {number}: {fault}")
        codes = include_codes(value)
        if len(codes) != len(value):
            raise ValueError("names a product twice, perhaps in two spellings")
        return tuple(sorted(codes, key=str.lower))

    @field_validator("identities")
    @classmethod
    def _can_be_sent(cls, value: tuple[Identity, ...]) -> tuple[Identity, ...]:
        for number, identity in enumerate(value):
            if fault := identity.fault():
                raise ValueError(f"number {number}: {fault}")
        return value

    @property
    def received(self) -> datetime:
        """`received_at` as a moment: a day's beginning in UTC."""
        at = self.received_at
        return at if isinstance(at, datetime) else datetime.combine(at, time(), UTC)

    def content(self) -> bytes:
        """What makes two requests of one id the same request: not when it was received, and no order."""
        products = sorted(product.lower() for product in self.products)
        content: list[Any] = [self.regulation, self.actions, sorted(self._distinct()), products]
        if options := unusual(self.said()):
            content.append(options)
        return json.dumps(content, ensure_ascii=False, sort_keys=True).encode()

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
    request_id = key.split(PART_SEPARATOR, 1)[0]
    return request_id if is_request_id(request_id) else None


REQUEST_FIELDS = (
    *(name for name in PrivacyRequest.model_fields if name not in RequestOptions.model_fields),
    *RequestOptions.model_fields,
)


_FIELDS = {
    "": REQUEST_FIELDS,
    "identities": IDENTITY_FIELDS,
    "company_contexts": tuple(CompanyContext.model_fields),
}


class UnusableRequest(ValueError):
    """A line cannot be used; the text says why without quoting any value of it. `request_id` and `actions` are the
    line's as far as they are usable."""

    def __init__(self, reason: str, fields: dict[str, Any]) -> None:
        super().__init__(reason)
        self.request_id = _safe_request_id(fields.get("request_id"))
        self.actions = _known_actions(fields.get("actions"))


def parse_request(fields: dict[str, Any], day: date, places: Sequence[str] | None = None) -> PrivacyRequest:
    """Builds the request of one inbox line. Raises UnusableRequest.

    `places` are what the identities are called in the file, where that is more helpful than their number.
    """
    if fault := too_many(fields):
        raise UnusableRequest(fault, fields)
    if fields.get("received_at") in (None, ""):
        fields = fields | {"received_at": day}
    try:
        request = PrivacyRequest.model_validate(fields)
    except ValidationError as error:
        reason = explain(error, _FIELDS, places)
        raise UnusableRequest(reason, fields) from None
    received = request.received.date()
    if not day - BEFORE_FOLDER <= received <= day + AFTER_FOLDER:
        when = "after the day of its folder" if received > day else "more than a year before its folder's day"
        raise UnusableRequest(f"received_at: is {when}", fields)
    return request


def _safe_request_id(value: Any) -> str | None:
    if isinstance(value, str) and len(value) <= 128 and request_id_fault(value) is None:
        return value
    return None


def _known_actions(value: Any) -> tuple[str, ...]:
    some = (
        [_action(each) for each in value[:MAX_FIELDS] if isinstance(each, str)]
        if isinstance(value, list)
        else []
    )
    return tuple(action.value for action in Action if action.value in some)


def check_products(actions: Iterable[str], products: Iterable[str]) -> str | None:
    """Why a request for these would be refused or never finish, or None."""
    chosen = include_codes(products)
    if not chosen:
        return "products: none given, and the connection has no default in extra.products"
    # Journey Optimizer guide, "Privacy requests": its delete stays in process until those exist.
    missing = [product for product in PLATFORM if product not in chosen]
    if "cjm" in chosen and Action.DELETE in actions and missing:
        return f"products: a delete for cjm never finishes without {', '.join(missing)}"
    return None


def _concerns(identity: Identity) -> Iterator[str]:
    namespace = identity.namespace.lower()
    if not namespace.isascii() and (odd := odd_signs(identity.namespace)):
        yield f"its namespace: {odd}"
    if identity.type == "custom" and (standard := standard_namespace(namespace)):
        yield (
            f"with the type custom, this is not the standard namespace {standard}, and finds nobody if the "
            "organisation has no namespace of its own of this name"
        )
    if odd := value_concern(namespace, identity.value, identity.type):
        yield odd


def _many(identities: Sequence[Identity]) -> Iterator[str]:
    if len(identities) <= MANY_ADDRESSES:
        return
    values = {(standard_namespace(each.namespace, each.type), each.value.lower()) for each in identities}
    for namespace, count in Counter(namespace for namespace, _ in values).items():
        if namespace in ("email", "phone") and count > MANY_ADDRESSES:
            yield f"identities: {count} different values of {namespace}: are they all one person's?"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a request's products would make of it: a `problem` why it cannot be sent, or `warnings`."""

    problem: str | None = None
    warnings: tuple[str, ...] = ()


def check_request(
    request: PrivacyRequest,
    products: Sequence[str],
    *,
    strict: bool = False,
    organisation: str | None = None,
    contexts: Sequence[Context] | None = None,
    places: Sequence[str] | None = None,
) -> Verdict:
    """Looks at a request together with the products and the organisation that it will go to.

    With `strict`, a product that can use none of the identities is a problem. `contexts` are the
    connection's company contexts, None where they are not known. `places` are what the identities are called in the
    file, for the warnings.
    """
    actions = request.actions
    if organisation and request.company_contexts and request.organisation() not in (None, organisation):
        return Verdict("company_contexts: the request is for another organisation than the connection's")
    shape = frozenset([(identity.namespace.lower(), identity.type) for identity in request.identities])
    if Action.OPT_OUT_OF_SALE in actions and not any(standard_namespace(*each) for each in shape):
        return Verdict(
            "identities: none is in a standard namespace, and Adobe takes an opt-out of sale for those only"
        )
    found = concerns(actions, tuple(products), shape)
    if strict and (nobody := next((concern.text for concern in found if concern.nobody), None)):
        return Verdict(f"products: {nobody}")
    values = [
        f"{places[number] if places else f'identities: number {number}'}: {odd}"
        for number, identity in enumerate(request.identities)
        for odd in _concerns(identity)
    ]
    told = [concern.text for concern in found]
    told += _many(request.identities)
    if tenant := without_tenant(actions, products, request.company_contexts, contexts):
        told.append(tenant)
    problem = None if actions == (Action.OPT_OUT_OF_SALE,) else check_products(actions, products)
    return Verdict(problem, (*told, *values))
