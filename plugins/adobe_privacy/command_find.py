"""The command `find`: the requests of a person, by one identity, which is never an argument and is kept nowhere."""

from __future__ import annotations

import argparse
import sys

from adobe_privacy.command_output import print_rows
from adobe_privacy.command_places import WrongUsage
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.reporting.find_person import find_person, is_adobes

MAX_LISTED = 1000


def find(options: argparse.Namespace, ledger: Ledger) -> bool:
    """Prints request ids only. To find none is no mistake."""
    namespace = options.namespace.strip()
    if not is_adobes(namespace):
        print(f"{namespace} is none of Adobe's namespaces: it is taken for one of your own", file=sys.stderr)
    found, more = find_person(ledger, namespace, _value(namespace), limit=MAX_LISTED)
    print_rows(options, [{"request_id": name} for name in found])
    if not found:
        print(
            "the ledger knows no request with it. Requests that no run has taken in yet are in the inbox only",
            file=sys.stderr,
        )
    if more:
        print(f"there are more than these {MAX_LISTED}", file=sys.stderr)
    return not more


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
