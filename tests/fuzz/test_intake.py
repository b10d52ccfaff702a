"""Whatever a file holds: it is exactly the person's request, or refused by a line that says where."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adobe_privacy.intake.inbox import Line, Reading
from adobe_privacy.intake.request import PrivacyRequest, UnusableRequest, check_request, parse_request
from tests.fuzz.settings import fuzzed
from tests.support.ledgers import DAY

ECID = "44363657679975868102109072127600000001"
COLUMNS = [
    ("email", "standard"),
    ("ECID", "standard"),
    ("phone", "standard"),
    ("crm", "custom"),
    ("email", "unregistered"),
    ("a:b", "integrationCode"),
]


def read(content: bytes, name: str, pieces: int = 0) -> list[Line]:
    step = pieces or len(content) or 1
    return list(
        Reading(name, lambda: iter([content[at : at + step] for at in range(0, len(content), step)]), DAY)
    )


usual = st.one_of(
    st.emails(),
    st.integers(0, 10**38).map(str),
    st.sampled_from(
        [ECID, "a@example.com", "auth0|5f7c", "NULL", "0", "4.4E+37", "L|1", 'a"b', "x;y", "x,y"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
identities = st.lists(st.tuples(st.sampled_from(COLUMNS), usual), min_size=1, max_size=4)
tables = st.lists(
    st.fixed_dictionaries(
        {
            "regulation": st.sampled_from(["gdpr", "ccpa", "GDPR", "gpdr"]),
            "actions": st.lists(st.sampled_from(["access", "delete", "Access"]), min_size=1, max_size=2),
            "identities": identities,
            "products": st.lists(
                st.sampled_from(["analytics", "Profile", "aepDataLake", "nothing"]), max_size=2
            ),
            "received_at": st.sampled_from(["", "2026-11-19", "2026-11-19T00:00:00Z", "2027-11-20"]),
        }
    ),
    min_size=1,
    max_size=4,
)


def lines_of(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        row
        | {
            "request_id": f"DSR-{number}",
            "identities": [
                {"namespace": namespace, "type": type_, "value": value}
                for (namespace, type_), value in row["identities"]
            ],
        }
        for number, row in enumerate(table)
    ]


def expected(fields: dict[str, Any]) -> PrivacyRequest | None:
    try:
        return parse_request(dict(fields), DAY)
    except UnusableRequest:
        return None


def as_table(table: list[dict[str, Any]], separator: str, end: str) -> str:
    columns: Counter[tuple[str, str]] = Counter()
    for row in table:
        columns |= Counter(column for column, _ in row["identities"])
    identity_columns = list(columns.elements())
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator=end)
    fields = ["request_id", "regulation", "actions", "products", "received_at"]
    writer.writerow([*fields, *(f"{namespace}:{type_}" for namespace, type_ in identity_columns)])
    for number, row in enumerate(table):
        left = list(row["identities"])
        cells = []
        for column in identity_columns:
            found = next((each for each in left if each[0] == column), None)
            if found:
                left.remove(found)
            cells.append(found[1] if found else "")
        lists = ["|".join(row["actions"]), "|".join(row["products"])]
        writer.writerow([f"DSR-{number}", row["regulation"], *lists, row["received_at"], *cells])
    return out.getvalue()


def as_body(fields: dict[str, Any]) -> dict[str, Any]:
    user = {"key": fields["request_id"], "action": fields["actions"], "userIDs": fields["identities"]}
    # An empty include is refused.
    include = {"include": fields["products"]} if fields["products"] else {}
    return {"users": [user], "regulation": fields["regulation"], **include}


WRITERS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "x.jsonl": lambda lines: "".join(json.dumps(each) + "\n" for each in lines),
    "x.json": lambda lines: json.dumps(lines, indent=2, ensure_ascii=False),
    "y.json": lambda lines: "\n".join(json.dumps(each, indent=1) for each in lines),
    "body.json": lambda lines: "\n".join(json.dumps(as_body(each), indent=4) for each in lines),
    "body.jsonl": lambda lines: "".join(json.dumps(as_body(each)) + "\n" for each in lines),
}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


def same(line: Line, request: PrivacyRequest | None) -> None:
    if request is None:
        assert line.request is None
        assert line.reason
    else:
        assert line.request is not None, line.reason
        assert line.request.content() == request.content()
        assert line.request.received_at == request.received_at


@pytest.mark.parametrize("name", WRITERS)
@fuzzed("inbox readers")
@given(tables, st.sampled_from(ENCODINGS), st.integers(1, 5000))
def test_json_of_any_layout_is_the_same_requests(
    name: str, table: list[dict[str, Any]], encoding: str, pieces: int
) -> None:
    lines = lines_of(table)
    if "body" in name:
        lines = [each | {"received_at": ""} for each in lines]
    found = read(WRITERS[name](lines).encode(encoding, "surrogatepass"), name, max(pieces, 64))
    assert len(found) == len(lines)
    for line, fields in zip(found, lines, strict=True):
        same(line, expected(fields))


@fuzzed("inbox readers")
@given(
    tables,
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(ENCODINGS),
    st.booleans(),
)
def test_a_table_is_the_same_requests_or_its_cell_is_refused(
    table: list[dict[str, Any]], separator: str, end: str, encoding: str, said: bool
) -> None:
    lines = lines_of(table)
    text = (f"sep={separator}{end}" if said else "") + as_table(table, separator, end)
    by_id = {line.request.request_id: line for line in read(text.encode(encoding), "x.csv") if line.request}
    for fields in lines:
        request, line = expected(fields), by_id.get(fields["request_id"])
        if line is not None and line.request is not None:
            # Cells that are empty say nothing, and a line break within a cell costs the row.
            given = [each for each in fields["identities"] if each["value"].strip()]
            request = expected(fields | {"identities": given})
            assert request is not None
            assert line.request.content() == request.content()
        elif request is not None:
            texts = "".join(each["value"] for each in fields["identities"])
            assert any(char in texts for char in '\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"\0'), (
                "taken, or odd"
            )


def zeros(value: str) -> str:
    return "0" * len(value)


MUTATIONS: dict[str, Callable[[str], str]] = {
    "rounded": lambda value: f"{float(value if value.isdigit() else 1e30):.5E}",
    "rounded, with a comma": lambda value: f"{float(value if value.isdigit() else 1e30):.5E}".replace(
        ".", ","
    ),
    "formula": lambda value: f'="{value}"',
    "apostrophe": lambda value: f"'{value}",
    "grouped": lambda value: f"{int(value if value.isdigit() else 10**20):,}",
    "a float": lambda value: f"{value if value.isdigit() else 12345}.0",
    "two of them": lambda value: f"{value if '@' in value else 'a@example.com'}; b@example.com",
    "with a name": lambda value: f"Jane <{value if '@' in value else 'a@example.com'}>",
    "quoted": lambda value: f"“{value}”",
    "quoted twice": lambda value: f'"{value}"',
    "zeros": zeros,
    "all f": lambda value: "f" * len(value),
    "NULL": lambda value: "NULL",
    "none": lambda value: "(none)",
    "an error": lambda value: "#N/A",
    "cut off": lambda value: value[:3] if "@" in value or len(value) == 38 else "-",
}


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("column", ["email:standard", "ECID:standard", "crm:custom"])
@fuzzed("inbox readers")
@given(st.integers(10**11, 10**38 - 1), st.sampled_from(["x.csv", "x.jsonl"]))
def test_no_mutated_value_is_another_persons_without_a_word(
    column: str, mutation: str, number: int, kind: str
) -> None:
    namespace, type_ = column.split(":")
    value = {"email": f"jane{number}@example.com", "ECID": f"{number:038}"}.get(namespace, str(number))
    assume(set(value) != {"0"})
    if mutation in ("two of them", "with a name", "cut off") and namespace == "crm":
        return  # nothing tells an id of one's own from another
    mutated = MUTATIONS[mutation](value)
    table = [
        {
            "regulation": "gdpr",
            "actions": ["delete"],
            "products": ["identity"],
            "received_at": "",
            "identities": [((namespace, type_), mutated)],
        }
    ]
    text = as_table(table, ",", "\n") if kind == "x.csv" else WRITERS[kind](lines_of(table))
    [line] = read(text.encode(), kind)
    if line.request is not None:
        assert check_request(line.request, line.request.products).warnings
    else:
        assert value not in str(line.reason)


@fuzzed("inbox readers")
@given(
    st.sampled_from(["request_id", "regulation", "actions", "products", "received_at", "email"]),
    st.integers(0, 20),
    st.sampled_from(["drop", "double", "swap", "other"]),
)
def test_no_misspelt_heading_is_read_over(heading: str, at: int, how: str) -> None:
    at %= len(heading) - 1
    misspelt = {
        "drop": heading[:at] + heading[at + 1 :],
        "double": heading[:at] + heading[at] + heading[at:],
        "swap": heading[:at] + heading[at + 1] + heading[at] + heading[at + 2 :],
        "other": f"{heading[:at]}x{heading[at + 1 :]}",
    }[how]
    plain = misspelt.replace("_", "")
    assume(plain != heading.replace("_", ""))
    headings = ["request_id", "regulation", "actions", "products", "received_at", "email", "crm:custom"]
    headings[headings.index(heading)] = misspelt
    row = "DSR-1,gdpr,delete,marketo,2026-11-19,a@example.com,C1\n"
    [line] = read(f"{','.join(headings)}\n{row}".encode(), "x.csv")
    assert line.whole_file
    assert "unknown headings" in str(line.reason)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda each: (
        st.lists(each, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "request_id",
                    "users",
                    "key",
                    "action",
                    "userIDs",
                    "include",
                    "identities",
                    "namespace",
                    "namespaceId",
                    "value",
                    "type",
                    "regulation",
                    "actions",
                    "products",
                    "expandIds",
                    "companyContexts",
                    "x",
                ]
            ),
            each,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@fuzzed("inbox readers")
@given(json_values, st.sampled_from(["x.json", "x.jsonl"]), st.booleans())
def test_any_json_is_read_or_refused(value: object, name: str, pretty: bool) -> None:
    for line in read(json.dumps(value, indent=1 if pretty else None).encode(), name):
        assert (line.request is None) == bool(line.reason)


alphabet = st.sampled_from(
    [
        b'"',
        b",",
        b";",
        b"\t",
        b"\r",
        b"\n",
        b"\r\n",
        b"\x00",
        b"|",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b"\\",
        b"'",
        b"=",
        b"request_id",
        b"regulation",
        b"actions",
        b"email",
        b"sep=",
        b"gdpr",
        b"access",
        b"DSR-1",
        b"a@example.com",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xef\xbb\xbf",
        b"\xe4",
        b"\xed\xa0\x80",
        b"users",
        b"1e999",
        b"\\ud800",
        b"-",
    ]
)


@fuzzed("inbox readers")
@given(
    st.lists(alphabet | st.binary(max_size=4), max_size=60).map(b"".join),
    st.sampled_from(["x.json", "x.jsonl", "x.csv", "x.tsv"]),
    st.integers(1, 50),
)
def test_any_bytes_are_read_or_refused(content: bytes, name: str, pieces: int) -> None:
    for line in read(content, name, pieces):
        assert (line.request is None) == bool(line.reason)


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"users":[', '[{"identities":['])
@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_no_depth_ends_the_reading(opening: str, name: str) -> None:
    for line in read(opening.encode() * 100_000, name, 1024 * 1024):
        assert line.reason
