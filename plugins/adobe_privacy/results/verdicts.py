"""What Adobe's answer means: the only judgement of it. Everything else reads what is decided here.

Sources: Adobe's Privacy Service API guide ("error codes", "privacy jobs") and troubleshooting guide. A job can be
complete while a product in it has failed or is silent, and in error while a product in it is done: neither level is
derived from the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from adobe_privacy.api.models import JobDetail, JobStatus, ProductResponse, UserId
from adobe_privacy.api.names import (
    IN_WHOLE,
    VERDICT_MEANINGS,
    Verdict,
    known_product,
    meaning_of,
    product_code,
    retry_can_help,
)
from adobe_privacy.intake.catalogue import can_use
from adobe_privacy.ledger.schema import ProductAnswer
from adobe_privacy.results.masking import all_without_identities, without_identities

# Verdicts of one product, the gravest first.
PRODUCT_VERDICTS = (
    Verdict.NOT_DONE,
    Verdict.WRONG_NAMESPACE,
    Verdict.NO_ANSWER,
    Verdict.PENDING,
    Verdict.NO_DATA,
    Verdict.NOBODY_FOUND,
    Verdict.DATA_LEFT,
    Verdict.IN_PART,
    Verdict.RESERVED,
    Verdict.NOTHING_TO_DO,
    Verdict.DONE,
)
# Verdicts of a whole job, the gravest first.
JOB_VERDICTS = (
    Verdict.NOT_DONE,
    Verdict.UNKNOWN,
    Verdict.PENDING,
    Verdict.AS_BEFORE,
    Verdict.IN_PART,
    Verdict.NOTHING_TO_DO,
    Verdict.DONE,
    Verdict.ACCEPTED,
)

_DID_SOMETHING = frozenset({Verdict.DONE, Verdict.RESERVED, Verdict.IN_PART, Verdict.DATA_LEFT})
_MISSED_BY_A_DELETE = frozenset(
    {
        Verdict.NOT_DONE,
        Verdict.WRONG_NAMESPACE,
        Verdict.NO_ANSWER,
        Verdict.NO_DATA,
        Verdict.PENDING,
        Verdict.NOBODY_FOUND,
        Verdict.DATA_LEFT,
    }
)
# That a product has nothing of a person is an answer to an access request.
MISSED = {"delete": _MISSED_BY_A_DELETE, "access": _MISSED_BY_A_DELETE - {Verdict.NOBODY_FOUND}}

CHILD = "child job"
RESULT = "the result"


@dataclass(frozen=True)
class Answer:
    """What one product answered, and what it means. It holds no identity: names and texts are masked.

    `product` is the include code; `name` is Adobe's, or the code where the product did not answer. `asked` is None
    where it is not known what was asked.
    """

    product: str
    name: str
    verdict: Verdict
    asked: bool | None = None
    status: str | None = None
    code: str | None = None
    processed_at: datetime | None = None
    retry_count: int | None = None
    message: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Judgement:
    """The verdict on a whole job, the code behind it, and what each product answered."""

    verdict: Verdict
    code: str | None
    answers: tuple[Answer, ...]


def judge(detail: JobDetail, asked: Collection[str] = (), *, last_look: bool = False) -> Judgement:
    """What became of one of Adobe's jobs. `asked` are the products that were asked for, empty where unknown.

    A product that has yet to answer makes the whole `no final answer yet`, unless the job is in error, or this is the
    `last_look` at it: then it has not answered.
    """
    final = detail.status.is_terminal and (last_look or detail.status is not JobStatus.COMPLETE)
    answers = list(_answers(detail, {product_code(name) for name in asked} or None))
    answers += silent(answers, asked)
    if final:
        answers = [
            replace(answer, verdict=Verdict.NO_ANSWER) if answer.verdict is Verdict.PENDING else answer
            for answer in answers
        ]
    verdict = min(
        whole_verdict([answer.verdict for answer in answers]),
        # What nobody asked for does not make up for what was asked.
        whole_verdict([answer.verdict for answer in answers if answer.asked is not False]),
        key=JOB_VERDICTS.index,
    )
    if not detail.status.is_terminal:
        verdict = Verdict.PENDING
    elif detail.status is not JobStatus.COMPLETE:
        # Something failed, though no product says so.
        verdict = {Verdict.DONE: Verdict.IN_PART, Verdict.NOTHING_TO_DO: Verdict.NOT_DONE}.get(
            verdict, verdict
        )
    return Judgement(verdict, _code_behind(answers), tuple(answers))


def kept_judgement(verdict: Verdict, answers: Sequence[Answer], asked: Collection[str]) -> Judgement:
    """A judgement of before, of which `verdict` and `answers` were kept. Never better than what the answers say."""
    every = [*answers, *silent(answers, asked)]
    by_answers = whole_verdict([answer.verdict for answer in every])
    return Judgement(min(verdict, by_answers, key=JOB_VERDICTS.index), _code_behind(every), tuple(every))


def of_empty_result(judgement: Judgement) -> Judgement:
    """What became of a complete access whose result holds no data. A product that says that it did what was asked is
    contradicted. Where none says so, there is nothing that the result could hold."""
    answers = tuple(answer for answer in judgement.answers if answer.verdict is not Verdict.NO_DATA)
    if _DID_SOMETHING.isdisjoint(answer.verdict for answer in answers):
        return judgement
    verdict = min(judgement.verdict, Verdict.IN_PART, key=JOB_VERDICTS.index)
    return replace(judgement, verdict=verdict, answers=(*answers, Answer("", RESULT, Verdict.NO_DATA)))


def silent(answers: Iterable[Answer], asked: Collection[str]) -> list[Answer]:
    """The products that were asked and are not among the answers."""
    answered = {answer.product for answer in answers}
    return [
        Answer(code, code, Verdict.NO_ANSWER, asked=True)
        for code in dict.fromkeys(map(product_code, asked))
        if code not in answered
    ]


def kept_answer(row: ProductAnswer) -> Answer:
    """An answer as the ledger has kept it."""
    return Answer(
        product=row.product,
        name=row.name,
        verdict=Verdict(row.verdict),
        asked=row.asked,
        status=row.status,
        code=row.code,
        processed_at=row.processed_at,
        retry_count=row.retry_count,
        message=row.message,
        detail=row.detail,
    )


def whole_verdict(verdicts: Collection[Verdict]) -> Verdict:
    """The verdict on a job from those of its products."""
    if not verdicts:
        return Verdict.NOT_DONE
    if Verdict.PENDING in verdicts:
        return Verdict.PENDING
    if _DID_SOMETHING.isdisjoint(verdicts):
        nothing = all(verdict is Verdict.NOTHING_TO_DO for verdict in verdicts)
        return Verdict.NOTHING_TO_DO if nothing else Verdict.NOT_DONE
    return Verdict.DONE if IN_WHOLE.issuperset(verdicts) else Verdict.IN_PART


def is_missed(action: str, verdict: Verdict) -> bool:
    """Whether a product with this verdict should have done what was asked and did not: a person must look."""
    return verdict in MISSED.get(action, _MISSED_BY_A_DELETE)


def nothing_to_fetch(answers: Sequence[Answer]) -> bool:
    """Whether no product did anything of which there could be a result."""
    return bool(answers) and _DID_SOMETHING.isdisjoint(answer.verdict for answer in answers)


class Answered(Protocol):
    """An answer, fresh or out of the ledger."""

    @property
    def name(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def code(self) -> str | None: ...


def missed(action: str, answers: Iterable[Answered]) -> list[str]:
    """What products should have done and did not: `wrong namespace at Target`, `no answer from Campaign`."""
    return [
        f"{answer.verdict} {_at(answer)}" for answer in answers if is_missed(action, Verdict(answer.verdict))
    ]


def advice(answer: Answered) -> str | None:
    """What a person should do about one product's answer; None where there is nothing to do."""
    verdict = Verdict(answer.verdict)
    if verdict is Verdict.DONE:
        return None
    meaning = meaning_of(answer.code)
    # The code speaks only where the verdict follows from it.
    if meaning is not None and meaning.advice and meaning.verdict is verdict:
        text = meaning.advice
    else:
        text = VERDICT_MEANINGS[verdict].advice
    return text.format(product=answer.name) or None


def explained(answer: Answered) -> str | None:
    """One product's answer for a person, with what to do: `6053 at Target: the namespace is not one that Target knows;
    send …`. None where there is nothing to do."""
    to_do = advice(answer)
    if to_do is None:
        return None
    verdict, meaning = Verdict(answer.verdict), meaning_of(answer.code)
    if meaning is not None and meaning.verdict is verdict and answer.code:
        label, says = answer.code.partition("-")[0], meaning.in_words
    else:
        label, says = verdict.value, VERDICT_MEANINGS[verdict].meaning
    return f"{label} {_at(answer)}: {says.format(product=answer.name)}; {to_do[0].lower()}{to_do[1:]}"


def _at(answer: Answered) -> str:
    place = {Verdict.NO_ANSWER: "from", Verdict.PENDING: "from", Verdict.NO_DATA: "in"}
    return f"{place.get(Verdict(answer.verdict), 'at')} {answer.name}"


def _code_behind(answers: Sequence[Answer]) -> str | None:
    """Of several failures, one that comes again at the next try is graver."""

    def gravity(answer: Answer) -> tuple[int, bool]:
        return PRODUCT_VERDICTS.index(answer.verdict), retry_can_help(answer.code)

    return min(answers, key=gravity).code if answers else None


def _answers(detail: JobDetail, asked: Collection[str] | None) -> Iterator[Answer]:
    """What the products of a job and of its child jobs answered, the children's last."""
    children = [answer for child in detail.child_jobs for answer in _answers_of_child(child)]
    failed = {answer.product for answer in children if answer.verdict is Verdict.NOT_DONE}
    pending = {answer.product for answer in children if answer.verdict is Verdict.PENDING}
    identities = _identities(detail)
    for response in detail.products:
        verdict = product_verdict(response, detail.user_ids)
        # Whatever the parent says.
        if response.product in failed:
            verdict = Verdict.NOT_DONE
        elif response.product in pending:
            verdict = _graver(verdict, Verdict.PENDING)
        name = without_identities(response.name, identities) or ""
        message, said = all_without_identities([response.message, response.detail], identities)
        yield Answer(
            # The letters of an unknown name are an identity's where the name is.
            product=(known_product(response.name) or product_code(name))[:64],
            name=name[:128],
            verdict=verdict,
            asked=None if asked is None else response.product in asked,
            status=response.status.value,
            code=response.code,
            processed_at=response.processed_at,
            retry_count=response.retry_count,
            message=message,
            detail=said,
        )
    yield from children


def _answers_of_child(child: JobDetail) -> Iterator[Answer]:
    answers = list(_answers(child, None))
    for answer in answers:
        yield replace(answer, name=answer.name if CHILD in answer.name else f"{answer.name} ({CHILD})")
    failed = child.status in (JobStatus.ERROR, JobStatus.EXPIRED)
    if failed and all(answer.verdict is not Verdict.NOT_DONE for answer in answers):
        yield Answer("", CHILD, Verdict.NOT_DONE, status=child.status.value)
    if not child.status.is_terminal and all(answer.verdict is not Verdict.PENDING for answer in answers):
        yield Answer("", CHILD, Verdict.PENDING, status=child.status.value)


def product_verdict(response: ProductResponse, user_ids: Sequence[UserId] = ()) -> Verdict:
    """What one product made of its part. Where status and code disagree, the worse one counts."""
    meaning = meaning_of(response.message_code)
    if response.status in (JobStatus.ERROR, JobStatus.EXPIRED):
        return Verdict.NOT_DONE
    if response.status is not JobStatus.COMPLETE:
        return Verdict.PENDING
    verdict = Verdict.DONE if meaning is None else meaning.verdict
    if verdict not in _DID_SOMETHING and verdict is not Verdict.NOBODY_FOUND:
        return verdict
    verdict = _by_identities(response, verdict, user_ids)
    return _graver(verdict, Verdict.DATA_LEFT) if response.failed_dataset_count else verdict


def _by_identities(response: ProductResponse, verdict: Verdict, user_ids: Sequence[UserId]) -> Verdict:
    """Adobe's word, made sharper by which identities the product looked for and which it left out."""
    if verdict is Verdict.NOBODY_FOUND:
        return Verdict.IN_PART if response.processed_count else verdict
    if response.processed_count == 0 and (response.ignored_count or verdict is Verdict.IN_PART):
        return Verdict.NOBODY_FOUND
    left_out = response.ignored
    if left_out is None:
        return Verdict.IN_PART if response.ignored_count else verdict
    unreadable = len(left_out) < (response.ignored_count or 0)
    if unreadable or any(_usable(response.product, value, user_ids) for value in left_out):
        return _graver(verdict, Verdict.IN_PART)
    # People send every identity to every product: what the product could not have used is no loss.
    return Verdict.DONE if verdict is Verdict.IN_PART and left_out and response.processed_count else verdict


def _usable(product: str, value: str, user_ids: Sequence[UserId]) -> bool:
    """Whether the product could have used this identity; so too where it is not known in which namespace it is."""
    named = [each for each in user_ids if each.value == value]
    return not named or any(can_use(product, each.namespace or "", each.type or "standard") for each in named)


def _graver(one: Verdict, other: Verdict) -> Verdict:
    return min(one, other, key=PRODUCT_VERDICTS.index)


def _identities(detail: JobDetail) -> list[str]:
    """All that Adobe's answer names as identities."""
    values = [each.value for each in detail.user_ids if each.value]
    for response in detail.products:
        values += [*(response.processed or ()), *(response.ignored or ())]
    return list(dict.fromkeys(values))
