"""A person is found however the request wrote the namespace and the value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.reporting.find_person import find_person
from tests.support.ledgers import received

ACCENTED, IN_PARTS = "J\u00f6rg@example.com", "Jo\u0308rg@example.com"


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger(ledger_url, actor="user/officer") as ledger:
        yield ledger


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        (("email", "ann@example.com"), ("Email", "ANN@example.com")),
        (("6", "ann@example.com"), ("email", "Ann@example.com")),
        (("email", "ann@example.com"), ("6", "ann@example.com")),
        (("4", "1" * 38), ("ECID", "1" * 38)),
        (("411", "ad-7"), ("AdCloud", "ad-7")),
        (("AAID", "2CC-118"), ("aaid", "2CC-118")),
        (("email", ACCENTED), ("email", IN_PARTS)),
        (("email", IN_PARTS), ("email", ACCENTED)),
        (("crmId", "4711"), ("crmid", "4711")),
    ],
)
def test_a_person_is_found_in_every_spelling(
    ledger: Ledger, written: tuple[str, str], asked: tuple[str, str]
) -> None:
    ledger.intake.receive([replace(received(1), prints=[ledger.intake.person_print(*written)])])
    assert find_person(ledger, *asked, limit=10) == (["DSR-1"], False)


def test_another_person_is_not_found(ledger: Ledger) -> None:
    ledger.intake.receive(
        [replace(received(1), prints=[ledger.intake.person_print("email", "ann@example.com")])]
    )
    for asked in (("phone", "ann@example.com"), ("email", "ann@example.org"), ("ECID", "ann@example.com")):
        assert find_person(ledger, *asked, limit=10) == ([], False)
