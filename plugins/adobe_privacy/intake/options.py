"""The parts of Adobe's request that hold for all users of one call."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, field_validator

# Adobe's guide writes the first, its OpenAPI file also the second.
_ORGANISATION = ("imsorgid", "imsorg")
# Adobe's own values, where a request says nothing.
_DEFAULTS = {"expand_ids": False, "priority": "normal", "analytics_delete_method": "anonymize"}
# What the ledger keeps of them.
MAX_LENGTH = 1024


def _printable(value: str) -> str:
    if not value.isprintable() or "\ufffd" in value:
        raise ValueError("holds a control character, or one that could not be read")
    return value


_Text = Annotated[str, AfterValidator(_printable)]


def _merge_policy(value: Any) -> str | int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    if value is None:
        return None
    # A spreadsheet makes 1.2E+10 of a number.
    if isinstance(value, str) and re.fullmatch(r"[\w:-]{1,128}", _printable(value.strip())):
        return value.strip()
    raise ValueError("must be the id of a merge policy, as text or as a number")


def is_organisation(namespace: str) -> bool:
    """Whether a company context of this namespace names the organisation itself."""
    return namespace.lower() in _ORGANISATION


class CompanyContext(BaseModel):
    """What a product needs to find its account: a tenant, a client code."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True
    )

    namespace: Annotated[_Text, Field(min_length=1, max_length=64)]
    value: Annotated[_Text, Field(min_length=1, max_length=128)]

    @property
    def is_organisation(self) -> bool:
        return is_organisation(self.namespace)


class CallOptions(BaseModel):
    """What a request says about how Adobe is to deal with it. Requests that differ in it go in calls of their own.

    `expand_ids`: Analytics also looks for the cookies of the person. `priority`: `low` for what is no data subject's
    request. `merge_policy_id`: by which an access to the Profile joins its parts.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True
    )

    expand_ids: bool = False
    priority: Literal["normal", "low"] = "normal"
    merge_policy_id: Annotated[str | int | None, PlainValidator(_merge_policy)] = None
    analytics_delete_method: Literal["anonymize", "purge"] | None = None

    def said(self) -> dict[str, Any]:
        """What was said, in the names of this module."""
        names = self.model_fields_set & CALL_OPTIONS
        if not names:
            return {}
        return self.model_dump(mode="json", include=set(names), exclude_none=True)


CALL_OPTIONS = frozenset(CallOptions.model_fields)


class RequestOptions(CallOptions):
    """The same of one request, whose `company_contexts` are added to the connection's."""

    company_contexts: Annotated[tuple[CompanyContext, ...], Field(max_length=10)] = ()

    @field_validator("company_contexts")
    @classmethod
    def _each_namespace_once(cls, value: tuple[CompanyContext, ...]) -> tuple[CompanyContext, ...]:
        names = ["" if context.is_organisation else context.namespace.lower() for context in value]
        if len(set(names)) != len(names):
            raise ValueError("names a namespace twice")
        if sum(len(context.namespace) + len(context.value) + 32 for context in value) > MAX_LENGTH - 256:
            raise ValueError("are too long together")
        return tuple(sorted(value, key=lambda context: context.namespace.lower()))

    def said(self) -> dict[str, Any]:
        """What was said, without the organisation."""
        said = super().said()
        contexts = [each for each in self.company_contexts if not each.is_organisation]
        if contexts:
            said["company_contexts"] = [context.model_dump() for context in contexts]
        return said

    def organisation(self) -> str | None:
        """The organisation that the request is meant for, where it says so."""
        return next((each.value for each in self.company_contexts if each.is_organisation), None)


def as_text(said: Mapping[str, Any]) -> str:
    """Options in the one form in which the ledger keeps them; empty where nothing was said."""
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False) if said else ""


def unusual(said: Mapping[str, Any]) -> dict[str, Any]:
    """Without what Adobe would do anyway."""
    return {name: value for name, value in said.items() if _DEFAULTS.get(name) != value}
