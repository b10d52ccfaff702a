from __future__ import annotations

import pytest

from adobe_privacy.archive.completeness import ProductOutcome, judge

FINE = ProductOutcome(name="Analytics", status="complete", code="PRVCY-6000-200")
CAVEAT = ProductOutcome(name="AudienceManager", status="complete", code="PRVCY-6054-200")
FAILED = ProductOutcome(name="Target", status="error", code="PRVCY-6000-400")
SHORT = ProductOutcome(name="Target", status="complete", code="6051-200")
REFUSED = ProductOutcome(name="Target", status="complete", code="6071-400")
WAITING = ProductOutcome(name="Identity", status="submitted")


@pytest.mark.parametrize(
    ("requested", "outcomes", "ignored", "verdict"),
    [
        (["analytics"], [FINE], 0, "full"),
        (["analytics"], [FINE], None, "full"),
        ([], [FINE], 0, "full"),
        (["analytics"], [FINE], 1, "partial"),
        (["analytics", "audienceManager"], [FINE, CAVEAT], 0, "partial"),
        (["analytics", "target"], [FINE, SHORT], 0, "partial"),
        (["analytics", "target"], [FINE, REFUSED], 0, "gap"),
        (["analytics", "profileService"], [FINE], 0, "gap"),
        (["analytics", "target"], [FINE, FAILED], 0, "gap"),
        (["analytics", "identity"], [FINE, WAITING], 0, "gap"),
        (["analytics"], [], 0, "gap"),
    ],
)
def test_the_verdict_follows_from_what_was_asked_and_answered(
    requested: list[str], outcomes: list[ProductOutcome], ignored: int | None, verdict: str
) -> None:
    assert judge(requested=requested, outcomes=outcomes, processed=1, ignored=ignored).verdict == verdict


def test_an_access_job_without_a_result_is_a_gap() -> None:
    found = judge(requested=["analytics"], outcomes=[FINE], processed=1, ignored=0, result_missing=True)
    assert found.verdict == "gap"


def test_missing_products_are_named_as_they_were_asked_for() -> None:
    found = judge(requested=["analytics", "profileService"], outcomes=[FINE], processed=None, ignored=None)
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
    found = judge(requested=[asked], outcomes=[outcome], processed=1, ignored=0)
    assert (found.verdict, found.products_missing) == ("full", [])


def test_folders_that_are_no_products_are_counted_and_never_named() -> None:
    folders = {"result", "Analytics", "dsmith@example.com"}
    found = judge(requested=["analytics"], outcomes=[FINE], processed=1, ignored=0, folders=folders)
    assert found.folders_found == ["analytics"] or found.folders_found == ["Analytics"]
    assert found.other_folders == 2
    assert "dsmith" not in found.model_dump_json()
