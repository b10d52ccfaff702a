"""The command `find`: the requests of a person, by one identity, which is never an argument and is kept nowhere."""

from __future__ import annotations

import argparse
import sys

from adobe_privacy.command_output import print_rows
from adobe_privacy.command_places import WrongUsage
from adobe_privacy.intake.catalogue import STANDARD_NAMESPACES
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import AccessKind

MAX_LISTED = 1000


def find(options: argparse.Namespace, ledger: Ledger) -> bool:
    """Prints request ids only. To find none is no mistake. The ledger keeps who asked, and not what was asked."""
    namespace = options.namespace.strip()
    known = {name.lower(): name for name in STANDARD_NAMESPACES}.get(namespace.lower())
    if known is None:
        print(f"{namespace} is none of Adobe's namespaces: it is taken for one of your own", file=sys.stderr)
    value = _value(namespace)
    found = ledger.search.by_prints([ledger.intake.person_print(namespace, value)], limit=MAX_LISTED + 1)
    by = known or "a namespace of your own"
    ledger.accesses.note(
        AccessKind.SEARCHED, f"for a person, by {by}: {min(len(found), MAX_LISTED)} requests found"
    )
    print_rows(options, [{"request_id": name} for name in found[:MAX_LISTED]])
    if not found:
        print(
            "the ledger knows no request with it. Requests that no run has taken in yet are in the inbox only",
            file=sys.stderr,
        )
    if len(found) > MAX_LISTED:
        print(f"there are more than these {MAX_LISTED}", file=sys.stderr)
    return len(found) <= MAX_LISTED


def _value(namespace: str) -> str:
    """From standard input, or asked for. Never an argument, which other users of the machine can read."""
    if sys.stdin.isatty():
        print(f"{namespace}: ", end="", file=sys.stderr, flush=True)
    try:
        value = sys.stdin.readline().strip()
    except UnicodeDecodeError:
        value = ""
    if not value or not value.isprintable():
        raise WrongUsage(f"standard input holds no value of {namespace} as text in UTF-8")
    return value
