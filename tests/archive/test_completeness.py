from __future__ import annotations

import pytest

from adobe_privacy.archive.completeness import ProductOutcome, compare

FINE = ProductOutcome(name="Analytics", status="complete", code="PRVCY-6000-200")


def test_missing_products_are_named_as_they_were_asked_for() -> None:
    found = compare(
        verdict="done",
        requested=["analytics", "profileService"],
        outcomes=[FINE],
        processed=None,
        ignored=None,
    )
    assert found.products_missing == ["profileService"]
    assert found.products_answered == ["Analytics"]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("analytics", "Adobe Analytics"),
        ("audienceManager", "Audience Manager"),
        ("AAM", "audienceManager"),
        ("profileService", "Profile"),
        ("aepDataLake", "AdobeCloudPlatform"),
        ("primetimeAuthentication", "Adobe Pass Authentication"),
        ("AJO", "cjm"),
        ("marketo", "Marketo Engage"),
        ("campaign", "campaign-acme-stg1"),
        ("brandNew", "Brand New"),
    ],
)
def test_an_answer_under_another_name_of_the_product_is_an_answer(asked: str, answered: str) -> None:
    outcome = ProductOutcome(name=answered, status="complete", code="6000-200")
    found = compare(verdict="done", requested=[asked], outcomes=[outcome], processed=1, ignored=0)
    assert found.products_missing == []


def test_folders_that_are_no_products_are_counted_and_never_named() -> None:
    folders = {"result", "Analytics", "dsmith@example.com"}
    found = compare(
        verdict="done", requested=["analytics"], outcomes=[FINE], processed=1, ignored=0, folders=folders
    )
    assert found.folders_found == ["analytics"] or found.folders_found == ["Analytics"]
    assert found.other_folders == 2
    assert "dsmith" not in found.model_dump_json()
