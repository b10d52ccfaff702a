"""What a person is asked before deletes are sent: counts, the plan's hash, and request ids. No identity."""

from __future__ import annotations

from dataclasses import dataclass

from adobe_privacy.ledger.delete_plan import DeletePlan
from adobe_privacy.plain_text import counted, markdown


@dataclass(frozen=True)
class Question:
    """`body` is Markdown; `request_ids` are all that the plan holds, the most urgent first."""

    subject: str
    body: str
    request_ids: tuple[str, ...]


def question(plan: DeletePlan, list_url: str) -> Question:
    """The question about a plan, with a link to the list of its requests."""
    batch = plan.batch
    sendable = [job for job in plan.jobs if not job.on_hold]
    on_hold = len(plan.on_hold)
    people = len({job.request_id for job in sendable})
    products = batch.products.split(",")
    lines = [
        f"**{counted(len(sendable), 'delete')}** of {counted(people, 'request')}. The first answer is due on "
        f"{min(job.due_on for job in sendable)}."
        + (f" {on_hold} more on hold: not sent (`{plan.on_hold_hash[:12]}`)." if on_hold else ""),
        "",
        "| regulation | product | deletes |",
        "|---|---|---|",
        *(
            f"| {markdown(batch.regulation)} | {markdown(product)} | {len(sendable)} |"
            for product in products
        ),
        "",
        f"[The requests]({list_url}), also in this task's log. Plan `{plan.hash}`: exactly this is sent.",
        "",
        "**Approve** sends them, except the requests that you name below. **Reject** puts all of them on hold.",
    ]
    subject = f"Send {counted(len(sendable), 'delete')} ({batch.regulation}) to Adobe?"
    return Question(subject, "\n".join(lines), tuple(dict.fromkeys(job.request_id for job in plan.jobs)))


def held_ids(answer: object) -> set[str]:
    """The request ids that a person typed: a list or text, separated by commas, blanks or line ends."""
    parts = answer if isinstance(answer, list) else [answer or ""]
    return {word for part in parts for word in str(part).replace(",", " ").split()}
