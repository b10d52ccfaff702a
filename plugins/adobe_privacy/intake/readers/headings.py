"""What the headings of a table mean."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from adobe_privacy.intake.catalogue import (
    IDENTITY_TYPES,
    STANDARD_NAMESPACES,
    identity_type,
    perhaps,
    standard_namespace,
)

LISTS = ("actions", "products")
OPTIONS = ("expand_ids", "priority", "merge_policy_id", "analytics_delete_method")
FIELDS = ("request_id", "regulation", "received_at", *OPTIONS)
REQUIRED = ("request_id", "regulation", "actions")
_PLAIN = re.compile(r"[\W_]")
_RESERVED = {_PLAIN.sub("", name): name for name in (*FIELDS, *LISTS)}
_NAMES = {_PLAIN.sub("", name).lower(): name for name in STANDARD_NAMESPACES}
_KNOWN = (*_RESERVED.values(), *STANDARD_NAMESPACES)


@dataclass(frozen=True)
class Headings:
    """The columns of a table by what they hold, each with its index; identities with namespace, type and place."""

    width: int
    fields: tuple[tuple[int, str], ...] = ()
    lists: tuple[tuple[int, str], ...] = ()
    identities: tuple[tuple[int, str, str, str], ...] = ()
    nameless: frozenset[int] = field(default_factory=frozenset)
    options: tuple[str, ...] = ()

    @property
    def id_at(self) -> int:
        return next(index for index, name in self.fields if name == "request_id")

    @cached_property
    def named_width(self) -> int:
        """How many columns there are up to the last that has a heading."""
        return max(index for index in range(self.width) if index not in self.nameless) + 1

    def in_words(self) -> str:
        """What the columns were taken for. A namespace of the controller's own is not named: it may be anything."""
        told = dict((*self.fields, *self.lists))
        for index, namespace, type_, _ in self.identities:
            known = standard_namespace(namespace, type_) if type_ == "standard" else None
            told[index] = known or f"a namespace of type {type_}"
        return ", ".join(f"{index + 1} {what}" for index, what in sorted(told.items()))


def recognised(heading: str) -> bool:
    """Whether a heading is one of ours; for finding out the separator."""
    return _reserved(heading) is not None or _identity(heading) is not None


def is_heading(cell: str) -> bool:
    """Whether a cell where a request id should be holds a heading, as in a file that was made of two."""
    # Nearly all request ids end in a digit.
    return not cell[-1:].isdigit() and _reserved(cell.strip(" \ufeff")) is not None


def read_headings(cells: Sequence[str]) -> Headings | str:
    """The meaning of a table's headings, or why it cannot be read. A heading is never quoted: it may be a value."""
    names = [cell.strip().strip("\ufeff") for cell in cells]
    fields: list[tuple[int, str]] = []
    lists: list[tuple[int, str]] = []
    identities: list[tuple[int, str, str, str]] = []
    unknown: list[str] = []
    for index, name in enumerate(names):
        if not name:
            continue
        if reserved := _reserved(name):
            (lists if reserved in LISTS else fields).append((index, reserved))
        elif found := _identity(name):
            identities.append((index, *found, f"column {index + 1}"))
        else:
            unknown.append(f"column {index + 1}{_nearest(name)}")
    given = Counter(name for _, name in (*fields, *lists))
    problems = []
    if missing := [name for name in REQUIRED if name not in given]:
        problems.append(f"the first line lacks the heading {', '.join(missing)}")
    if twice := sorted(name for name, count in given.items() if count > 1):
        problems.append(f"the heading {', '.join(twice)} is there twice")
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        problems.append(f"unknown headings: {', '.join(unknown[:5])}{more}")
    if problems:
        return (
            "; ".join(problems)
            + "; no line of this file was read. Headings: request_id, regulation, actions, "
            "received_at, products, the standard namespaces, and namespace:type"
        )
    nameless = frozenset(index for index, name in enumerate(names) if not name)
    options = tuple(name for _, name in fields if name in OPTIONS)
    return Headings(len(names), tuple(fields), tuple(lists), tuple(identities), nameless, options)


def _reserved(name: str) -> str | None:
    return _RESERVED.get(_PLAIN.sub("", name).lower())


def _identity(name: str) -> tuple[str, str] | None:
    """Namespace and type of an identity's heading: `email`, `namespace:type`, split at the last colon."""
    namespace, colon, last = name.rpartition(":")
    if colon:
        type_ = identity_type(last)
        if not type_ or not namespace.strip() or _reserved(namespace):
            return None
        return namespace.strip(), type_
    if standard_namespace(name):
        return name, "standard"
    standard = _NAMES.get(_PLAIN.sub("", name).lower())
    return (standard, "standard") if standard else None


def _nearest(name: str) -> str:
    namespace, colon, last = name.rpartition(":")
    if colon and _reserved(namespace):
        return f" (perhaps {_reserved(namespace)}, without a type)"
    if colon and namespace:
        return perhaps(last, IDENTITY_TYPES) or " (no identity type after the last colon)"
    return perhaps(name, _KNOWN)
