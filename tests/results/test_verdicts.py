from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adobe_privacy.api.models import JobDetail
from adobe_privacy.api.names import IN_WHOLE, OUTCOME_CODES, VERDICT_MEANINGS, Verdict
from adobe_privacy.ledger.schema import UNDONE
from adobe_privacy.results.verdicts import (
    JOB_VERDICTS,
    MISSED,
    PRODUCT_VERDICTS,
    Answer,
    explained,
    is_missed,
    judge,
    kept_judgement,
    of_empty_result,
    whole_verdict,
)

EMAIL = {"namespace": "email", "value": "ann@example.com", "type": "standard", "namespaceId": 6}
ECID = {"namespace": "ECID", "value": "1" * 38, "type": "standard", "namespaceId": 4}
AAID = {"namespace": "AAID", "value": "2CCEEAE88503384F-1188000089CA", "type": "standard"}

# Contract with Adobe's table of error codes: what each code alone says of a product.
BY_CODE = {
    "6000-200": Verdict.DONE,
    "6051-200": Verdict.NOTHING_TO_DO,
    "6052-200": Verdict.NOBODY_FOUND,
    "6053-200": Verdict.WRONG_NAMESPACE,
    "6054-200": Verdict.IN_PART,
} | {f"{code}-400": Verdict.NOT_DONE for code in (1000, 1001, 1010, 1020, 1021, 1022, 1023, 1024, 1030, 1040)}
DOES_SOMETHING = {"6000-200", "6054-200"}
FULFILS = {"6000-200", "6051-200"}


def product(name: str = "Analytics", code: str | None = "6000-200", **fields: Any) -> dict[str, Any]:
    """A product's answer on the wire; `results` and `detail` go to their places."""
    status: dict[str, Any] = {"status": "complete" if code is None or code.endswith("-200") else "error"}
    if code is not None:
        status["responseMsgCode"] = f"PRVCY-{code}"
    places = {"results": "results", "detail": "responseMsgDetail", "status": "status", "message": "message"}
    status |= {places[name]: fields.pop(name) for name in list(fields) if name in places}
    return {"product": name, "retryCount": 0, "productStatusResponse": status} | fields


def job(*products: dict[str, Any], status: str = "complete", **fields: Any) -> JobDetail:
    wire = {"jobId": "j", "status": status, "userIds": [EMAIL, ECID], "productResponses": list(products)}
    return JobDetail.model_validate(wire | fields)


def verdicts(detail: JobDetail, *asked: str, **options: Any) -> list[Verdict]:
    return [answer.verdict for answer in judge(detail, asked, **options).answers]


def test_the_table_has_every_code() -> None:
    assert set(OUTCOME_CODES) == set(BY_CODE)
    assert all(row.advice for code, row in OUTCOME_CODES.items() if code != "6000-200")
    assert set(PRODUCT_VERDICTS) | set(JOB_VERDICTS) == set(Verdict)


@pytest.mark.parametrize("code", BY_CODE)
def test_a_code_has_its_verdict(code: str) -> None:
    assert verdicts(job(product(code=code))) == [BY_CODE[code]]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (product(code="6099-200"), Verdict.RESERVED),
        (product(code="1099-400"), Verdict.NOT_DONE),
        (product(code="1099-400", status="complete"), Verdict.NOT_DONE),
        (product(code="6000-200", status="error"), Verdict.NOT_DONE),
        (product(code=None), Verdict.DONE),
        (product(code=None, status="expired"), Verdict.NOT_DONE),
        (product(code="6000-200", detail="Success dataSetIds = [a], Failed dataSetIds = []"), Verdict.DONE),
        (
            product(code="6000-200", detail="Success dataSetIds = [], Failed dataSetIds = [b]"),
            Verdict.DATA_LEFT,
        ),
        (product(code="6052-200", results={"processed": [ECID["value"]], "ignored": ["x"]}), Verdict.IN_PART),
        (product(code="6052-200", results={"processed": [], "ignored": ["x"]}), Verdict.NOBODY_FOUND),
        (
            product(code="6054-200", results={"processed": [], "ignored": [EMAIL["value"]]}),
            Verdict.NOBODY_FOUND,
        ),
        # An e-mail address is of no use to Analytics, an ECID is.
        (
            product(code="6054-200", results={"processed": [ECID["value"]], "ignored": [EMAIL["value"]]}),
            Verdict.DONE,
        ),
        (
            product(code="6054-200", results={"processed": [EMAIL["value"]], "ignored": [ECID["value"]]}),
            Verdict.IN_PART,
        ),
        (
            product(code="6054-200", results={"processed": [ECID["value"]], "ignored": ["who"]}),
            Verdict.IN_PART,
        ),
        (product(code="6054-200", results={"processed": 1, "ignored": 1}), Verdict.IN_PART),
        (
            product(code="6000-200", results={"processed": [EMAIL["value"]], "ignored": [ECID["value"]]}),
            Verdict.IN_PART,
        ),
        (
            product("Unheard of", "6054-200", results={"processed": ["y"], "ignored": [EMAIL["value"]]}),
            Verdict.IN_PART,
        ),
    ],
)
def test_an_answer_has_its_verdict(answer: dict[str, Any], verdict: Verdict) -> None:
    assert verdicts(job(answer)) == [verdict]


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations_with_replacement(BY_CODE, 2)))
def test_two_products_have_one_verdict(one: str, other: str) -> None:
    def whole(*codes: str) -> Verdict:
        names = ("Analytics", "Target")
        return judge(job(*(product(*each) for each in zip(names, codes, strict=True)))).verdict

    codes = {one, other}
    if codes <= FULFILS:
        expected = Verdict.DONE if "6000-200" in codes else Verdict.NOTHING_TO_DO
    elif codes & DOES_SOMETHING:
        expected = Verdict.IN_PART
    else:
        expected = Verdict.NOT_DONE
    assert whole(one, other) == whole(other, one) == expected
    assert (whole(one, other) in IN_WHOLE) is (codes <= FULFILS)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("6053", Verdict.WRONG_NAMESPACE),
        (6053, Verdict.WRONG_NAMESPACE),
        ("PRVCY-6053", Verdict.WRONG_NAMESPACE),
        ("prvcy6053-200", Verdict.WRONG_NAMESPACE),
        ("PRVCY_6053_200", Verdict.WRONG_NAMESPACE),
        ("PRVCY-06053-200", Verdict.WRONG_NAMESPACE),
        (["PRVCY-6053-200"], Verdict.WRONG_NAMESPACE),
        ("PRVCY-6053-202", Verdict.WRONG_NAMESPACE),
        (1000, Verdict.NOT_DONE),
        ("PRVCY-1000-200", Verdict.NOT_DONE),
        ("PRVCY-6000-400", Verdict.NOT_DONE),
        ("PRVCY-9999-500", Verdict.NOT_DONE),
        ("PRVCY-6000-202", Verdict.RESERVED),
        ("PRVCY-9999", Verdict.RESERVED),
        ("OK", Verdict.RESERVED),
        ("6000-200-1", Verdict.RESERVED),
        ({"code": "PRVCY-6053-200"}, Verdict.WRONG_NAMESPACE),
        (6053.0, Verdict.WRONG_NAMESPACE),
        # Of several, the one that says least of what was done.
        (["PRVCY-6000-200", "PRVCY-1000-400"], Verdict.NOT_DONE),
        ([6000, 6053], Verdict.WRONG_NAMESPACE),
        ([{"code": "PRVCY-6000-200"}, {"code": "PRVCY-6054-200"}], Verdict.IN_PART),
        (["PRVCY-6000-200", "PRVCY-6000-200"], Verdict.DONE),
        (["PRVCY-6000-200", [["PRVCY-1000-400"]]], Verdict.RESERVED),
        ([], Verdict.RESERVED),
        (True, Verdict.RESERVED),
        ("", Verdict.DONE),
    ],
)
def test_a_code_in_another_form_is_never_read_as_done(code: object, verdict: Verdict) -> None:
    answer = product()
    answer["productStatusResponse"]["responseMsgCode"] = code
    assert verdicts(job(answer)) == [verdict]


def test_a_code_beside_the_status_counts() -> None:
    answer = {"product": "Analytics", "status": "complete", "responseMsgCode": "PRVCY-6053-200"}
    assert verdicts(job(answer)) == [Verdict.WRONG_NAMESPACE]


@pytest.mark.parametrize("inner", ["PRVCY-6000-200", "", None])
def test_of_a_code_in_the_status_and_one_beside_it_the_worse_counts(inner: str | None) -> None:
    answer = product(code=None) | {"responseMsgCode": "PRVCY-1000-400"}
    answer["productStatusResponse"]["responseMsgCode"] = inner
    assert verdicts(job(answer)) == [Verdict.NOT_DONE]


def test_an_error_beside_the_status_counts() -> None:
    assert verdicts(job(product(status="complete") | {"status": "error"})) == [Verdict.NOT_DONE]
    assert verdicts(job(product(status="error") | {"status": "complete"})) == [Verdict.NOT_DONE]
    assert verdicts(job(product(status="complete") | {"status": "200"})) == [Verdict.DONE]


@pytest.mark.parametrize("place", ["message", "detail"])
def test_without_a_code_one_in_the_words_counts(place: str) -> None:
    assert verdicts(job(product(code=None, **{place: "PRVCY-6053-200: not valid."}))) == [
        Verdict.WRONG_NAMESPACE
    ]
    assert verdicts(job(product(**{place: "No PRVCY-1000-400."}))) == [Verdict.DONE]
    assert verdicts(job(product(code=None, **{place: "Case 6053."}))) == [Verdict.DONE]


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        # What names nobody was not looked for.
        ({"processed": [None], "ignored": [EMAIL["value"]]}, Verdict.NOBODY_FOUND),
        ({"processed": [""], "ignored": [EMAIL["value"]]}, Verdict.NOBODY_FOUND),
        ({"processed": [{}], "ignored": [EMAIL["value"]]}, Verdict.NOBODY_FOUND),
        # What was left out and cannot be read may have been of use.
        ({"processed": [ECID["value"]], "ignored": [None]}, Verdict.IN_PART),
        ({"processed": [ECID["value"]], "ignored": [{}, EMAIL["value"]]}, Verdict.IN_PART),
        ({"processed": [EMAIL["value"]], "ignored": "someone"}, Verdict.IN_PART),
        ({"processed": -1, "ignored": -1}, Verdict.IN_PART),
        (json.dumps({"processed": [], "ignored": [EMAIL["value"]]}), Verdict.NOBODY_FOUND),
        ([{"processed": [], "ignored": [EMAIL["value"]]}], Verdict.NOBODY_FOUND),
    ],
)
def test_results_that_cannot_be_read_are_never_done(results: object, verdict: Verdict) -> None:
    assert verdicts(job(product(code="6054-200", results=results))) == [verdict]


@pytest.mark.parametrize(
    "detail",
    [
        "Failed dataSetIds: [a]",
        "Failed dataSetIds = [a",
        "Failed dataset ids = a",
        ["Failed dataSetIds = [a]"],
        "Lake: Failed dataSetIds = [], Profile: Failed dataSetIds = [a]",
        ["Failed dataSetIds = []", "Failed dataSetIds = [a]"],
        "Failed dataset_ids = [a]",
        "Failed datasets: a, b",
        '{"successDataSetIds":["b"],"failedDataSetIds":["a"]}',
        "Failed datasets: 3 of 12",
        "Failed datasets: 0a1b",
        "Failed datasets: urn:a",
        "Failed datasets: none of 12 could be read",
        "Failed datasets: no answer",
        "Failed datasets: 0 in Profile; 3 in the lake",
        "Lake failed datasets: none Profile failed datasets: a",
        "There are no failed data sets: all were processed. Failed datasets: a",
        "There are no failed dataSetIds = [a]",
    ],
)
def test_failed_data_sets_are_seen_in_other_spellings(detail: object) -> None:
    assert verdicts(job(product("Profile", detail=detail))) == [Verdict.DATA_LEFT]


def test_failed_data_sets_are_seen_in_either_text() -> None:
    answer = product("Profile", detail="Failed dataSetIds = []", message="Failed dataSetIds = [a]")
    assert verdicts(job(answer)) == [Verdict.DATA_LEFT]


@pytest.mark.parametrize(
    "detail",
    [
        "Success dataSetIds = [a], Failed dataSetIds = []",
        '{"failedDataSetIds":null}',
        '{"failedDataSetIds":[],"successDataSetIds":["b"]}',
        "Failed datasets: none",
        "Failed datasets: none. All were processed.",
        "Failed datasets: none (all 12 were processed)",
        "Failed datasets: 0 of 12",
        "Failed datasets: 0/12",
        "Failed datasets: 0, successful datasets: 12",
        "Failed datasets: 0, 12 succeeded",
        "Failed datasets: 0; all were processed",
        "Failed datasets: none; succeeded: 3",
        "Failed datasets: 0 Data lake: failed datasets: 0",
        '{"failedDataSets": "none", "successDataSets": "b"}',
        "There are no failed data sets: all were processed",
        "0 failed data sets: all were processed",
    ],
)
def test_no_failed_data_set_is_none(detail: str) -> None:
    assert verdicts(job(product("Profile", detail=detail))) == [Verdict.DONE]


@pytest.mark.parametrize(
    ("detail", "count"),
    [
        ("Failed dataSetIds = [a; b]", 2),
        ("Failed dataSetIds = [a, b]. Retry: c, d", 2),
        ("Failed datasets: a; b", 2),
        ("Failed datasets: a, b, successful datasets: c, d", 2),
        ("Failed datasets: a, b. See the log, it says more.", 2),
    ],
)
def test_each_failed_data_set_counts_and_nothing_after_the_list(detail: str, count: int) -> None:
    [told] = job(product("Profile", detail=detail)).products
    assert told.failed_dataset_count == count


def test_what_nobody_asked_for_does_not_make_up_for_what_was_asked() -> None:
    assert judge(job(product()), ("target",), last_look=True).verdict is Verdict.NOT_DONE
    assert judge(job(product(""), product("Target", "6053-200")), ("target",)).verdict is Verdict.NOT_DONE
    assert judge(job(product(), product("Target", "1000-400")), ("analytics",)).verdict is Verdict.IN_PART
    assert judge(job(product(), product("Target")), ("analytics",)).verdict is Verdict.DONE


def test_a_product_that_answers_twice_is_not_done_in_whole() -> None:
    twice = job(product("campaign-a"), product("campaign-b", "1000-400"))
    judgement = judge(twice, ("campaign",))
    assert judgement.verdict is Verdict.IN_PART
    assert [answer.verdict for answer in judgement.answers] == [Verdict.DONE, Verdict.NOT_DONE]


@pytest.mark.parametrize(
    "children", [[{"status": "error"}], {"status": "error"}, {"jobId": None, "status": 4}]
)
def test_a_child_job_without_an_id_counts_as_well(children: object) -> None:
    assert judge(job(product(), childJobs=children)).verdict is Verdict.IN_PART


@pytest.mark.parametrize("children", [["child-1"], "child-1", [7]])
def test_of_a_child_job_of_which_nothing_can_be_read_nobody_knows_that_it_is_done(children: object) -> None:
    assert judge(job(product(), childJobs=children)).verdict is Verdict.PENDING
    assert judge(job(product(), childJobs=children), last_look=True).verdict is Verdict.IN_PART


@pytest.mark.parametrize("children", [[], None, "", [None], [{}], 0])
def test_no_child_job_is_none(children: object) -> None:
    assert judge(job(product(), childJobs=children)).verdict is Verdict.DONE


def test_what_no_database_takes_is_left_out() -> None:
    answer = product("Ana\0lytics", message="a\0b\ud800", retryCount=10**12, processedDate="yesterday")
    [told] = judge(job(answer)).answers
    assert (told.name, told.message, told.retry_count, told.processed_at) == ("Ana lytics", "a b", None, None)


def test_a_long_text_is_cut_before_anybody_looks_for_identities_in_it() -> None:
    [told] = judge(job(product(message="x" * 10**6 + " ann@example.com"))).answers
    assert len(told.message or "") <= 2000
    [told] = judge(job(product(message="ann@example.com " * 10**5))).answers
    assert "ann" not in (told.message or "")


def test_a_product_that_was_asked_and_is_not_named_gave_no_answer() -> None:
    judgement = judge(job(product("campaign-acme-stg1")), ("campaign", "AJO"))
    assert [(answer.product, answer.verdict, answer.asked) for answer in judgement.answers] == [
        ("campaign", Verdict.DONE, True),
        ("cjm", Verdict.NO_ANSWER, True),
    ]
    assert judgement.verdict is Verdict.IN_PART
    assert judge(job(), ("cjm",)).verdict is Verdict.NOT_DONE
    assert judge(job()).verdict is Verdict.NOT_DONE


def test_a_product_may_answer_later_in_a_complete_job_until_the_last_look() -> None:
    detail = job(product(), product("Target", None, status="submitted"))
    assert judge(detail).verdict is Verdict.PENDING
    last = judge(detail, last_look=True)
    assert (last.verdict, last.answers[1].verdict) == (Verdict.IN_PART, Verdict.NO_ANSWER)


def test_a_job_in_error_is_final_and_never_done_in_whole() -> None:
    waiting = product("Target", None, status="submitted")
    assert judge(job(product(), waiting, status="error")).verdict is Verdict.IN_PART
    assert judge(job(waiting, status="expired")).verdict is Verdict.NOT_DONE
    assert judge(job(product(), status="error")).verdict is Verdict.IN_PART
    assert judge(job(product(code="6051-200"), status="error")).verdict is Verdict.NOT_DONE
    assert judge(job(product(), status="processing")).verdict is Verdict.PENDING


@pytest.mark.parametrize(
    ("child", "whole", "of_analytics"),
    [
        ({"status": "complete", "productResponses": [product()]}, Verdict.DONE, Verdict.DONE),
        (
            {"status": "error", "productResponses": [product(code="1021-400")]},
            Verdict.IN_PART,
            Verdict.NOT_DONE,
        ),
        (
            {"status": "complete", "productResponses": [product(code="1021-400")]},
            Verdict.IN_PART,
            Verdict.NOT_DONE,
        ),
        ({"status": "error"}, Verdict.IN_PART, Verdict.DONE),
        ({"status": "processing"}, Verdict.PENDING, Verdict.DONE),
        (
            {"status": "complete", "childJobs": [{"jobId": "g", "status": "error"}]},
            Verdict.IN_PART,
            Verdict.DONE,
        ),
    ],
)
def test_a_child_job_counts_whatever_its_parent_says(
    child: dict[str, Any], whole: Verdict, of_analytics: Verdict
) -> None:
    judgement = judge(job(product(), product("Target"), childJobs=[{"jobId": "c"} | child]))
    assert judgement.verdict is whole
    assert judgement.answers[0].verdict is of_analytics


def test_of_several_failures_the_code_is_that_of_one_that_comes_again() -> None:
    assert (
        judge(job(product(code="1024-400"), product("Target", "1000-400"), status="error")).code == "1000-400"
    )
    assert (
        judge(job(product(code="6053-200"), product("Target", "1024-400"), status="error")).code == "1024-400"
    )


@pytest.mark.parametrize("verdict", sorted({*PRODUCT_VERDICTS} - {Verdict.NO_DATA}))
@pytest.mark.parametrize("other", sorted({*PRODUCT_VERDICTS} - {Verdict.NO_DATA}))
def test_a_result_without_data_never_makes_a_verdict_better(verdict: Verdict, other: Verdict) -> None:
    answers = [Answer("target", "Target", verdict), Answer("campaign", "Campaign", other)]
    judgement = kept_judgement(Verdict.DONE, answers, ())
    without = of_empty_result(judgement)
    assert JOB_VERDICTS.index(without.verdict) <= JOB_VERDICTS.index(judgement.verdict)
    assert set(judgement.answers) <= set(without.answers)
    assert of_empty_result(without) == without
    somebody_did = any(each in (Verdict.DONE, Verdict.IN_PART) for each in (verdict, other))
    assert not (somebody_did and without.verdict in IN_WHOLE)


def test_what_a_delete_misses_an_access_may_answer() -> None:
    assert {verdict for verdict in Verdict if is_missed("delete", verdict)} == {
        Verdict.NOT_DONE,
        Verdict.WRONG_NAMESPACE,
        Verdict.NO_ANSWER,
        Verdict.NO_DATA,
        Verdict.PENDING,
        Verdict.NOBODY_FOUND,
        Verdict.DATA_LEFT,
    }
    assert not is_missed("access", Verdict.NOBODY_FOUND)
    assert is_missed("access", Verdict.WRONG_NAMESPACE)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            product("Target", "6053-200"),
            "6053 at Target: the namespace is not one that Target knows; send a new",
        ),
        (
            product("Target", "1000-400"),
            "1000 at Target: a value does not have the form that Target expects; ",
        ),
        (
            product("Target", "1024-400"),
            "1024 at Target: unexpected error at Target; it was sent again where",
        ),
        (
            product("Target", "6099-200"),
            "6099 at Target: done, with a reservation; look the code up in Adobe's",
        ),
        (
            product("Target", "6000-200", status="error"),
            "not done at Target: Target did not do it; open a supp",
        ),
        (
            product("Target", None, status="submitted"),
            "no final answer yet from Target: Target has yet to answ",
        ),
        (
            product("{0}", "6052-200", results={"processed": [ECID["value"]], "ignored": ["x"]}),
            "in part at {0}: {0} did it for some identities",
        ),
        (product("Target"), None),
    ],
)
def test_an_answer_is_explained_with_what_to_do(answer: dict[str, Any], text: str | None) -> None:
    [told] = judge(job(answer)).answers
    assert (explained(told) or "").startswith(text or "")
    assert (explained(told) is None) is (text is None)


def test_every_verdict_is_explained() -> None:
    assert set(VERDICT_MEANINGS) == set(Verdict)
    for verdict in PRODUCT_VERDICTS:
        answer = Answer("target", "Target", verdict)
        assert bool(explained(answer)) is (verdict is not Verdict.DONE)
        assert "{" not in (explained(answer) or "")


def test_an_answer_holds_no_identity() -> None:
    answer = product(
        "Analytics of ann@example.com",
        "1000-400",
        detail="Value ANN@EXAMPLE.COM, bob@example.com and +39 06 1234567 are not valid",
        message=f"see {ECID['value']}",
        results={"processed": ["X-7"], "ignored": []},
    )
    text = repr(judge(job(answer, product("Target", detail="X-7 was found"))))
    for value in ("ann@", "ANN@", "bob", "1234567", "1" * 38, "X-7"):
        assert value not in text
    assert "[identity] was found" in text


# What is better: something done is better than nothing, and all of it better than a part.
LEVEL = dict.fromkeys(PRODUCT_VERDICTS, 0) | {
    Verdict.DATA_LEFT: 1,
    Verdict.IN_PART: 1,
    Verdict.RESERVED: 1,
    Verdict.DONE: 2,
}
FINAL: list[Verdict] = [verdict for verdict in PRODUCT_VERDICTS if verdict is not Verdict.PENDING]


def is_better(one: Verdict, other: Verdict) -> bool:
    if Verdict.NOTHING_TO_DO in (one, other):
        # Nothing to do is better than a failure, and not to be compared with a part.
        return (one is Verdict.NOTHING_TO_DO and LEVEL[other] == 0) or (
            one is Verdict.DONE and other is Verdict.NOTHING_TO_DO
        )
    return LEVEL[one] > LEVEL[other]


@given(st.lists(st.sampled_from(FINAL), min_size=1, max_size=6), st.data())
def test_a_better_answer_never_gives_a_worse_verdict(answers: list[Verdict], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(answers) - 1))
    better = data.draw(
        st.sampled_from([each for each in FINAL if is_better(each, answers[place])] or [answers[place]])
    )
    before = whole_verdict(answers)
    after = whole_verdict([*answers[:place], better, *answers[place + 1 :]])
    assert JOB_VERDICTS.index(after) >= JOB_VERDICTS.index(before)


@given(
    st.lists(st.sampled_from(sorted(BY_CODE)), min_size=1, max_size=5), st.sampled_from(["access", "delete"])
)
def test_only_what_every_product_did_is_done_in_whole(codes: list[str], action: str) -> None:
    judgement = judge(job(*(product(f"p{number}", code) for number, code in enumerate(codes))))
    missed = [answer for answer in judgement.answers if is_missed(action, answer.verdict)]
    assert (judgement.verdict in IN_WHOLE) is (set(codes) <= FULFILS)
    if judgement.verdict in IN_WHOLE:
        assert not missed


def test_the_index_of_what_was_not_done_leaves_out_what_was_done_in_whole_and_nothing_else() -> None:
    """No job whose product missed something is done in whole, see above: the index may leave those out."""
    assert UNDONE.text == "outcome NOT IN ('accepted', 'done', 'nothing to do')"
    assert not IN_WHOLE & frozenset().union(*MISSED.values())


@pytest.mark.parametrize("ignored", [{"email": ["a@example.com"]}, True, "a@example.com"])
def test_what_was_left_out_and_cannot_be_read_is_not_done_in_whole(ignored: object) -> None:
    status = {"status": "complete", "responseMsgCode": "PRVCY-6000-200"}
    status["results"] = {"processed": ["b@example.com"], "ignored": ignored}  # type: ignore[assignment]
    answer = {"product": "Target", "productStatusResponse": status}
    wire = {"jobId": "1", "status": "complete", "productResponses": [answer]}
    assert judge(JobDetail.model_validate(wire), ["target"]).verdict is Verdict.IN_PART


@pytest.mark.parametrize("odd", ["Target: failed", 5, ["x"]])
def test_an_answer_that_is_no_answer_is_never_done(odd: object) -> None:
    status = {"status": "complete", "responseMsgCode": "PRVCY-6000-200"}
    answers = [{"product": "Analytics", "productStatusResponse": status}, odd]
    detail = JobDetail.model_validate({"jobId": "1", "status": "complete", "productResponses": answers})
    assert judge(detail).verdict is Verdict.PENDING
    assert judge(detail, last_look=True).verdict is Verdict.IN_PART
