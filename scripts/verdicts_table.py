"""Writes the tables of verdicts and codes into docs/operations.md; with `--check` says whether they are current."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from adobe_privacy.api.names import OUTCOME_CODES, VERDICT_MEANINGS, Verdict
from adobe_privacy.results.verdicts import JOB_VERDICTS, PRODUCT_VERDICTS, Answer, explained, is_missed
from scripts.made_pages import write_or_check

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"
BEGIN = "<!-- made by python -m scripts.verdicts_table -->"
END = "<!-- end -->"
EXAMPLE = "Target"


def tables() -> str:
    return "\n".join([BEGIN, "", *_verdicts(), "", *_codes(), "", END])


def _verdicts() -> Iterator[str]:
    yield from ("| verdict | of | means | needs a person |", "|---|---|---|---|")
    for verdict, row in VERDICT_MEANINGS.items():
        of = [
            name
            for name, some in (("a job", JOB_VERDICTS), ("a product", PRODUCT_VERDICTS))
            if verdict in some
        ]
        yield f"| `{verdict}` | {', '.join(of)} | {row.meaning.format(product='the product')} | {_person(verdict)} |"


def _person(verdict: Verdict) -> str:
    # No job is at its end while a product has yet to answer.
    asked_again = verdict is Verdict.PENDING
    if asked_again or verdict not in PRODUCT_VERDICTS or not is_missed("delete", verdict):
        return ""
    return "yes" if is_missed("access", verdict) else "of a delete"


def _codes() -> Iterator[str]:
    yield from ("| code | Adobe's title | says | verdict |", "|---|---|---|---|")
    for code, row in OUTCOME_CODES.items():
        text = explained(Answer(EXAMPLE.lower(), EXAMPLE, row.verdict, code=code)) or row.in_words
        yield f"| `{code}` | {row.title} | {text} | `{row.verdict}` |"


def page(text: str) -> str:
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{tables()}{after}"


def main() -> int:
    text = page(PAGE.read_text("utf-8"))
    return write_or_check(PAGE, text, made_from="api/names.py", by="scripts.verdicts_table")


if __name__ == "__main__":
    sys.exit(main())
