"""Says why a line cannot be used, in words that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import ValidationError

from adobe_privacy.intake.catalogue import perhaps

# So many faults of a line are told.
MAX_FAULTS = 5
_IN_WORDS = {
    "missing": "is missing",
    "too_short": "none is given",
    "string_too_short": "is empty",
    "string_type": "must be text, in quotation marks",
    "string_unicode": "holds a character that could not be read; save the file as UTF-8",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list, in square brackets",
}


def explain(
    error: ValidationError, fields: Mapping[str, Sequence[str]], places: Sequence[str] | None = None
) -> str:
    """A validation error in one line: fields and expectations, never a value.

    `fields` are the names that a line has, and under the name of a field those that it has within; `places` are what
    the identities are called in the file.
    """
    sentences = list(dict.fromkeys(_sentences(error, fields, places)))
    more = len(sentences) - MAX_FAULTS
    return "; ".join(sentences[:MAX_FAULTS]) + (f"; and {more} more" if more > 0 else "")


def _sentences(
    error: ValidationError, fields: Mapping[str, Sequence[str]], places: Sequence[str] | None
) -> Iterator[str]:
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    deeper = {problem["loc"][0] for problem in problems if len(problem["loc"]) > 1}
    for problem in problems:
        loc, what = problem["loc"], problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "too_short" and loc[:1] and loc[0] in deeper:
            continue  # nothing is missing: what is there is faulty
        if problem["type"] == "extra_forbidden":
            # The name of an unknown field is input as well: it may be somebody's address.
            known = fields.get("" if len(loc) == 1 else str(loc[0]), ())
            what = f"a field that is not one of {', '.join(known)}{perhaps(str(loc[-1]), known)}"
            if loc[-1] == "namespaceId":  # it is left where it contradicts, see readers/adobe.py
                what = "namespaceId contradicts the namespace or the type"
            loc = loc[:-1]
        else:
            what = _IN_WORDS.get(problem["type"]) or what.replace("Input should be", "must be")
        where = ".".join(str(step) for step in loc)
        if places and loc[:1] == ("identities",):
            where, what = _placed(where, what, loc, places)
        yield f"{where}: {what}" if where else what


def _placed(where: str, what: str, loc: tuple[int | str, ...], places: Sequence[str]) -> tuple[str, str]:
    """`identities.2.value` or `number 2: …` with the place in the file instead of the number."""
    match = re.match(r"number (\d+): ", what)
    if len(loc) > 1 and isinstance(loc[1], int) and loc[1] < len(places):
        return places[loc[1]], what
    if match and int(match.group(1)) < len(places):
        return places[int(match.group(1))], what[match.end() :]
    return where, what
