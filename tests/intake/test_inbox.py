"""Files of the inbox: what is read of them, and what is said of what cannot be."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adobe_privacy.api.facts import MAX_IDENTITIES
from adobe_privacy.intake.inbox import (
    Line,
    files_of,
    find_requests,
    read_file,
    write_rejected,
)
from adobe_privacy.intake.readers.text import MAX_LINE_BYTES
from adobe_privacy.intake.request import PrivacyRequest
from adobe_privacy.storage import Store, open_store

DAY = date(2026, 11, 20)
CANARY = "c4n4ry"
GOOD: dict[str, Any] = {
    "request_id": "DSR-2026-000123",
    "regulation": "gdpr",
    "actions": ["access", "delete"],
    "identities": [{"namespace": "email", "value": f"{CANARY}@example.com"}],
}


@pytest.fixture
def inbox(tmp_path: Path) -> Store:
    return open_store(f"file://{tmp_path}")


def put(inbox: Store, content: str | bytes, name: str = "requests.jsonl") -> str:
    source = f"{DAY}/{name}"
    inbox.write(source, content if isinstance(content, bytes) else content.encode())
    return source


def read(inbox: Store, content: str | bytes, name: str = "requests.jsonl") -> list[Line]:
    return list(read_file(inbox, put(inbox, content, name)))


def one(inbox: Store, **changes: Any) -> Line:
    fields = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    (line,) = read(inbox, json.dumps(fields))
    return line


def request_of(line: Line) -> PrivacyRequest:
    assert line.request is not None, line.reason
    return line.request


def test_a_json_line_is_read_with_what_it_leaves_out(inbox: Store) -> None:
    request = request_of(one(inbox))
    assert request.received_at == DAY, "the folder's"
    assert request.identities[0].type == "standard"
    assert request.products == ()


def test_csv_has_a_column_per_identity_and_lists_by_bars(inbox: Store) -> None:
    (line,) = read(
        inbox,
        "request_id,regulation,actions,received_at,products,email,email,loyaltyAccount:integrationCode\n"
        "DSR-1,ccpa,access|delete,2026-11-19T10:00:00Z,analytics|profileService,a@example.com,b@example.com,L|1\n",
        "requests.csv",
    )
    request = request_of(line)
    assert line.number == 2
    assert request.actions == ("access", "delete")
    assert request.products == ("analytics", "profileService")
    assert request.received_at == datetime(2026, 11, 19, 10, tzinfo=UTC)
    assert [(i.namespace, i.value, i.type) for i in request.identities] == [
        ("email", "a@example.com", "standard"),
        ("email", "b@example.com", "standard"),
        ("loyaltyAccount", "L|1", "integrationCode"),
    ]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last_end", [True, False])
def test_files_of_every_editor_are_read(inbox: Store, bom: bytes, end: bytes, last_end: bool) -> None:
    lines = [json.dumps(GOOD | {"request_id": f"DSR-{number}"}).encode() for number in range(2)]
    content = bom + end.join(lines) + (end if last_end else b"")
    assert [request_of(line).request_id for line in read(inbox, content)] == ["DSR-0", "DSR-1"]
    header = b"request_id,regulation,actions,email"
    rows = end.join([header, b"DSR-0,gdpr,access,a@example.com"]) + (end if last_end else b"")
    (line,) = read(inbox, bom + rows, "x.csv")
    if last_end:
        assert request_of(line).request_id == "DSR-0"
    else:
        assert "is the file complete?" in str(line.reason)


@pytest.mark.parametrize("content", ["", "\n\n", "  \n", "\ufeff"])
def test_an_empty_file_has_no_lines_and_is_neither_table_nor_document(inbox: Store, content: str) -> None:
    assert read(inbox, content) == []
    assert read(inbox, "[]", "x.json") == []
    for name, content_ in (("x.csv", content), ("x.TSV", f"{content}sep=;\n"), ("x.json", content)):
        [line] = read(inbox, content_, name)
        assert (line.request, line.whole_file) == (None, True)
        assert "was it handed in whole?" in str(line.reason)


@pytest.mark.parametrize("name", ["x.jsonl", "x.json"])
def test_lines_of_files_that_were_put_together_are_read_with_their_marks(inbox: Store, name: str) -> None:
    """Each file of a Windows editor begins with one, which nobody sees."""
    lines = [json.dumps(GOOD | {"request_id": f"DSR-{number}"}) for number in range(3)]
    read_lines = read(inbox, "".join(f"\ufeff{line}\n" for line in lines), name)
    assert [request_of(line).request_id for line in read_lines] == ["DSR-0", "DSR-1", "DSR-2"]


def test_a_broken_first_line_costs_no_other_line_of_files_that_were_put_together(inbox: Store) -> None:
    good = json.dumps(GOOD)
    first, second = read(inbox, f"{good[:-20]}\n\ufeff{good}\n", "x.jsonl")
    assert (first.number, first.request) == (1, None)
    assert request_of(second).request_id == GOOD["request_id"]


def test_a_bad_line_stops_no_other(inbox: Store) -> None:
    good = json.dumps(GOOD).encode()
    junk = [b"{broken", b"[1]", b'"text"', b"\xff\xfe\x00", b"x" * (1024 * 1024 + 1), b"{" * 5000]
    lines = read(inbox, b"\n".join([good, *junk, good]))
    assert [line.request is not None for line in lines] == [True, *[False] * len(junk), True]
    assert [line.number for line in lines] == list(range(1, len(junk) + 3))
    assert all(line.reason for line in lines if line.request is None)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"request_id": f"{CANARY}@example.com"}, "request_id: "),
        ({"request_id": "+1 555 0100 200"}, "request_id: "),
        ({"request_id": "15550100200"}, "phone number"),
        ({"request_id": ""}, "request_id: "),
        ({"request_id": 123}, "request_id: "),
        ({"request_id": "DSR~2"}, "request_id: "),
        ({"request_id": ...}, "request_id: "),
        ({"regulation": CANARY}, "not one of Adobe's regulation codes"),
        ({"regulation": "ucpa_usa"}, "write 'ucpa_ut_usa'"),
        ({"regulation": "dpdpa"}, "dpdpa_de_usa"),
        ({"actions": []}, "actions: "),
        ({"actions": [CANARY]}, "actions.0: "),
        ({"actions": ["access", "access"]}, "twice"),
        ({"identities": []}, "identities: "),
        ({"identities": [{"namespace": "email", "value": ""}]}, "identities.0.value: "),
        ({"identities": [{"namespace": "email", "value": CANARY}]}, "identities: "),
        ({"identities": [{"namespace": "AAID", "value": f"{CANARY}-1"}]}, "AAID"),
        ({"identities": [{"namespace": "email", "value": f"{CANARY}\u0000@x"}]}, "control character"),
        ({"identities": [{"namespace": "email", "value": 5}]}, "identities.0.value: "),
        ({"identities": [{"namespace": "x", "value": CANARY, "type": CANARY}]}, "identities.0.type: "),
        ({"identities": [{"namespace": "x", "value": CANARY, CANARY: 1}]}, "identities.0: a field"),
        ({"identities": CANARY}, "identities: "),
        ({"received_at": CANARY}, "received_at: "),
        ({"products": [f"{CANARY} {CANARY}"]}, "products: number 0: "),
        ({CANARY: 1}, "a field that is not one of"),
    ],
)
def test_a_reason_names_the_field_and_never_quotes_the_line(
    inbox: Store, changes: dict[str, Any], says: str
) -> None:
    line = one(inbox, **changes)
    assert line.request is None
    assert line.reason is not None
    assert says in line.reason
    assert CANARY not in line.reason
    assert CANARY not in (line.request_id or "")
    source = f"{DAY}/requests.jsonl"
    write_rejected(inbox, source, [line])
    assert CANARY not in inbox.read(f"{DAY}/rejected/requests.jsonl").decode()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            f"request_id,regulation,actions,email\nDSR-1,gdpr,access,{CANARY}@example.com,extra\n",
            "a cell without",
        ),
        (f'request_id,regulation,actions,email\nDSR-1,gdpr,access,"{CANARY}\n', "quotation mark"),
        (f"regulation,actions,email\ngdpr,access,{CANARY}@example.com\n", "lacks the heading request_id"),
        (
            f"request_id,Request ID,regulation,actions\nD-1,{CANARY},gdpr,access\n",
            "request_id is there twice",
        ),
        (f"request_id,regulation,actions,x:{CANARY}\nDSR-1,gdpr,access,1\n", "column 4 (no identity type"),
        (
            f"request_id,regulation,actions,product,email\nD-1,gdpr,delete,{CANARY},a@b.example\n",
            "perhaps products",
        ),
        (f"request_id,regulation,actions,{CANARY}\nDSR-1,gdpr,access,1\n", "unknown headings: column 4;"),
        (f"request_id,regulation,actions,email\nDSR-1,gdpr,access,{CANARY}\n", "column 4: not exactly one"),
        ("request_id,regulation,actions,email\nDSR-1,gdpr\n", "actions"),
    ],
)
def test_a_reason_of_a_csv_line_never_quotes_it(inbox: Store, content: str, says: str) -> None:
    (line,) = [line for line in read(inbox, content, "x.csv") if line.request is None]
    assert line.reason is not None
    assert says in line.reason
    assert CANARY not in line.reason


BODY: dict[str, Any] = {
    "companyContexts": [],
    "users": [
        {
            "key": "D-1",
            "action": ["access"],
            "userIDs": [{"namespace": "email", "type": "standard", "value": "a@example.com"}],
        }
    ],
    "include": ["marketo"],
    "regulation": "gdpr",
}


def _identity(**fields: Any) -> dict[str, Any]:
    user = BODY["users"][0] | {"userIDs": [{"value": "4711", "name": "x", **fields}]}
    return BODY | {"users": [user]}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (BODY | {"expandIds": True, "expandIDs": False}, "two spellings"),
        (BODY | {"users": [BODY["users"][0] | {"userIds": []}]}, "two spellings"),
        (BODY | {"include": []}, "include: names no product"),
        (BODY | {"mergePolicyId": "1.2E+10"}, "merge_policy_id: must be"),
        (BODY | {"mergePolicyId": True}, "merge_policy_id: must be"),
        (BODY | {"mergePolicyId": 3.5}, "merge_policy_id: must be"),
        (BODY | {"mergePolicyId": 2**64}, "merge_policy_id: must be"),
        (BODY | {"mergePolicyId": "a\u0000b"}, "control character"),
        (BODY | {"companyContexts": [{"namespace": "Campaign", "value": "a\u202eb"}]}, "control character"),
        (_identity(namespace="6", namespaceId=4, type="namespaceId"), "namespaceId contradicts"),
        (_identity(namespace="email", namespaceId=7, type="namespaceId"), "namespaceId contradicts"),
        (_identity(namespace="ecid", namespaceId=4711, type="namespaceId"), "namespaceId contradicts"),
        (_identity(namespace="AAID", namespaceId=411, type="namespaceId"), "namespaceId contradicts"),
        (_identity(namespace="12345", namespaceId=12346, type="namespaceId"), "namespaceId contradicts"),
        (_identity(namespace="email", namespaceId=4, type="standard"), "namespaceId contradicts"),
        (_identity(namespace="email", namespaceId=4, type="Standard"), "namespaceId contradicts"),
        (
            BODY
            | {"companyContexts": [{"namespace": each, "value": each} for each in ("imsOrgID", "imsOrg")]},
            "names a namespace twice",
        ),
        (_identity(namespaceId=4711, type="analytics"), "identities.0"),
        (_identity(namespace="04", type="namespaceId"), "without zeros"),
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_body_that_says_two_things_is_refused(
    inbox: Store, body: dict[str, Any], says: str, indent: int | None
) -> None:
    (line,) = read(inbox, json.dumps(body, indent=indent), "body.json")
    assert says in str(line.reason)


def test_a_number_without_end_is_no_json(inbox: Store) -> None:
    text = json.dumps(BODY, indent=1)[:-2] + ',\n"mergePolicyId": ' + "9" * 5000 + "\n}"
    (line,) = read(inbox, text, "body.json")
    assert "too long" in str(line.reason)


@pytest.mark.parametrize("field", ["namespace", "company_contexts"])
def test_what_could_not_be_read_in_a_document_is_refused(inbox: Store, field: str) -> None:
    request = GOOD | {"identities": [{"namespace": "kdnr\xfc", "value": "4711", "type": "custom"}]}
    if field == "company_contexts":
        request = GOOD | {"company_contexts": [{"namespace": "Campaign", "value": "m\xfcller"}]}
    content = json.dumps([request], indent=1, ensure_ascii=False).encode("latin-1")
    (line,) = read(inbox, content, "x.json")
    assert "could not be read" in str(line.reason)


@pytest.mark.parametrize("many", [{"actions": ["x"] * 41}, {"identities": [{f"f{n}": 1 for n in range(41)}]}])
def test_what_is_too_much_is_not_looked_into(inbox: Store, many: dict[str, Any]) -> None:
    assert "41" in str(one(inbox, **many).reason)


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-le", "utf-32-be", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_unicode_and_any_separator(inbox: Store, encoding: str, separator: str) -> None:
    rows = [["request_id", "regulation", "actions", "email"], ["DSR-1", "gdpr", "access", "jörg@example.com"]]
    table = "".join(separator.join(row) + "\r\n" for row in rows)
    if separator == "|":
        table = f"sep=|\r\n{table}"
    for text in (table, f"sep={separator}\r\n{table}" if separator != "|" else table):
        (line,) = read(inbox, text.encode(encoding), "x.csv")
        assert request_of(line).identities[0].value == "jörg@example.com"


@pytest.mark.parametrize("separator", ['"', "e", " ", "\r"])
def test_an_odd_separator_costs_the_file_and_nothing_else(inbox: Store, separator: str) -> None:
    (line,) = read(inbox, f'sep={separator}\n"request_id",regulation\n', "x.csv")
    assert line.whole_file


@pytest.mark.parametrize("heading", ["products:analytics", "Products: custom", "received_at:custom"])
def test_a_field_is_no_namespace(inbox: Store, heading: str) -> None:
    (line,) = read(
        inbox, f"request_id,regulation,actions,email,{heading}\nD-1,gdpr,access,a@example.com,x\n", "x.csv"
    )
    assert line.whole_file
    assert "without a type" in str(line.reason)


@pytest.mark.parametrize(
    "products", ["mar\x00keto", "ana,lytics", "target/analytics", "analytics;", '"target"']
)
def test_no_sign_that_may_separate_is_read_over_in_a_product(inbox: Store, products: str) -> None:
    assert "not one of Adobe's products" in str(one(inbox, products=[products]).reason)


def test_the_report_of_a_file_that_was_mended_disappears(inbox: Store) -> None:
    source = put(inbox, "nonsense\n")
    key = f"{DAY}/rejected/requests.jsonl"
    assert write_rejected(inbox, source, [line for line in read_file(inbox, source) if line.reason]) == 1
    assert json.loads(inbox.read(key)) == {
        "file": "requests.jsonl",
        "line": 1,
        "reason": "not JSON at column 1",
    }
    assert write_rejected(inbox, source, []) == 0
    assert files_of(inbox, DAY) == ([source], []), "and the report is no request file"
    assert [entry.key for entry in inbox.objects(str(DAY))] == [source]


def test_other_files_are_not_read_and_not_passed_over_in_silence(inbox: Store) -> None:
    put(inbox, "", "a.jsonl")
    put(inbox, "", "b.CSV")
    put(inbox, "text", "notes.txt")
    put(inbox, "", "_SUCCESS")
    put(inbox, "", ".hidden.jsonl")
    assert files_of(inbox, DAY) == ([f"{DAY}/a.jsonl", f"{DAY}/b.CSV"], [f"{DAY}/notes.txt"])


def test_wanted_requests_are_found_as_the_file_holds_them_now(inbox: Store) -> None:
    source = put(inbox, "".join(json.dumps(GOOD | {"request_id": f"DSR-{n}"}) + "\n" for n in range(5)))
    assert [request.request_id for request in find_requests(inbox, source, {"DSR-3"})] == ["DSR-3"]
    inbox.delete(source)
    assert list(find_requests(inbox, source, {"DSR-3"})) == []


def test_what_makes_two_requests_the_same_is_not_their_order(inbox: Store) -> None:
    identities = [{"namespace": "email", "value": "a@example.com"}, {"namespace": "ECID", "value": "12"}]
    first = request_of(one(inbox, identities=identities, products=["CRS", "target"]))
    second = request_of(
        one(
            inbox, identities=identities[::-1], products=["target", "CRS"], received_at="2026-11-21T00:00:00Z"
        )
    )
    assert first.content() == second.content()
    other = request_of(one(inbox, identities=identities[:1], products=["CRS", "target"]))
    assert other.content() != first.content()


def test_no_identity_shows_in_a_repr(inbox: Store) -> None:
    assert CANARY not in repr(request_of(one(inbox)))


@given(count=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_parts_hold_every_identity_once_and_nine_at_most(count: int) -> None:
    request = PrivacyRequest.model_validate(
        GOOD
        | {
            "received_at": datetime(2026, 1, 1, tzinfo=UTC),
            "identities": [{"namespace": "crm", "value": f"v{n}", "type": "custom"} for n in range(count)],
        }
    )
    parts = request.parts()
    assert all(1 <= len(part) <= MAX_IDENTITIES for part in parts)
    assert sorted(identity.value for part in parts for identity in part) == sorted(
        f"v{n}" for n in range(count)
    )


HEADER = "request_id,regulation,actions,received_at,products,email"


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (
            f"DSR-1,gdpr,access,,,{CANARY}@example.com".encode(),
            "lacks the heading request_id, regulation, actions",
        ),
        (b"request_id,regulation,email", "lacks the heading actions"),
        (f"{HEADER},recieved_at".encode(), "unknown headings: column 7 (perhaps received_at)"),
        (b"\xff" + HEADER.encode(), "not UTF-8 text"),
        (b'"' + HEADER.encode(), "quotation mark"),
    ],
)
def test_a_table_without_usable_headings_is_told_once_and_not_read(
    inbox: Store, header: bytes, says: str
) -> None:
    row = f"DSR-1,gdpr,access,,,{CANARY}@example.com".encode()
    (line,) = read(inbox, b"\n".join([header, row, row]), "x.csv")
    assert line.number == 1
    assert says in str(line.reason)
    assert "no line of this file was read" in str(line.reason)
    assert CANARY not in str(line.reason)


TWO = "request_id,regulation,actions,a:unregistered,b:unregistered\nDSR-1,gdpr,access,A1,B1\n"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_made_of_two_tables_is_read_as_far_as_its_headings_hold(inbox: Store, mark: str) -> None:
    same = TWO + mark + TWO.replace("DSR-1", "DSR-2")
    inbox.write(f"{DAY}/r.csv", same.encode())
    lines = list(read_file(inbox, f"{DAY}/r.csv"))
    assert [line.request and line.request.request_id for line in lines] == ["DSR-1", "DSR-2"]
    for other in ("b:unregistered,a:unregistered", "a:unregistered,b:custom", "a:unregistered,emial"):
        swapped = same + mark + TWO.replace("a:unregistered,b:unregistered", other).replace("DSR-1", "DSR-3")
        inbox.write(f"{DAY}/r.csv", swapped.encode())
        lines = list(read_file(inbox, f"{DAY}/r.csv"))
        assert [line.request is not None for line in lines] == [True, True, False]
        assert lines[-1].number == 5
        assert "nothing from here on was read" in str(lines[-1].reason)


@pytest.mark.parametrize("cell", ["|", " | ", "||"])
def test_a_cell_of_separators_alone_is_not_the_default_products(inbox: Store, cell: str) -> None:
    table = f"request_id,regulation,actions,products,email\nDSR-1,gdpr,delete,{cell},a@example.com\n"
    inbox.write(f"{DAY}/r.csv", table.encode())
    [line] = read_file(inbox, f"{DAY}/r.csv")
    assert str(line.reason).startswith("products")


@pytest.mark.parametrize("cut", ['{"request_id": "DSR-1",', '{"request_id": "DSR-1", "identities": [{'])
def test_a_first_line_that_was_cut_off_costs_itself_only(inbox: Store, cut: str) -> None:
    inbox.write(f"{DAY}/r.jsonl", f"{cut}\n{json.dumps(GOOD)}\n".encode())
    lines = list(read_file(inbox, f"{DAY}/r.jsonl"))
    assert [line.request is not None for line in lines] == [False, True]


@pytest.mark.parametrize("name", ["r.json", "r.jsonl"])
@pytest.mark.parametrize("indent", [None, 1])
def test_a_body_without_a_user_is_refused(inbox: Store, name: str, indent: int | None) -> None:
    body = {"users": [], "regulation": "gdpr", "include": ["marketo"]}
    inbox.write(f"{DAY}/{name}", json.dumps(body, indent=indent).encode() + b"\n")
    [line] = read_file(inbox, f"{DAY}/{name}")
    assert "one user or more" in str(line.reason)


TABLE = "request_id,regulation,actions,email,products,received_at\n"


@pytest.mark.parametrize(
    ("torn", "lines"),
    [
        ("DSR-1,gdpr,delete,a@example.com\n,marketo,2026-11-19\n", "2 to 3"),
        ("DSR-1,gdpr,delete,a@example.com,marketo\n,2026-11-19\n", "2 to 3"),
        ("DSR-1,gdpr,delete,a@example.com,marketo|\nanalytics,2026-11-19\n", "2 to 3"),
        ("DSR-1,gdpr,delete,a@example.com\n\n,marketo\n,2026-11-19\n", "2 to 5"),
        ("DSR-1,gdpr,delete,a@example.com,mark\neto,\n", "2 to 3"),
        ("DSR-1,gdpr,delete,a@example.com\n,marketo,,\n", "2 to 3"),
        ("DSR-1,gdpr,delete,a@example.com,4711\nAB,marketo\n", "2 to 3"),
        ("DSR-1,gdpr,delete,a@example.com,12AD\n45FE,marketo\n", "2 to 3"),
        ("DSR-1,gdpr,delete,a@example.com,\n2026-11-19,marketo\n", "2 to 3"),
        ("DSR-1,cpa,delete,a@example.com,12AD\n45FE,marketo\n", "2 to 3"),
        ("DSR-1,gdpr,opt-out of sale,a@example.com,12AD\n45FE,marketo\n", "2 to 3"),
    ],
)
def test_a_row_that_a_bare_line_break_tears_apart_is_not_read_without_its_end(
    inbox: Store, torn: str, lines: str
) -> None:
    """Its delete would go to the connection's products, and its time would begin on the folder's day."""
    first, second = read(inbox, f"{TABLE}{torn}DSR-2,gdpr,access,b@example.com,marketo,\n", "requests.csv")
    assert (first.number, first.request) == (2, None)
    assert str(first.reason).startswith(f"lines {lines} look like one row, torn by a line break in a cell")
    assert "If they are not one row, end line 2 with a separator for each empty cell" in str(first.reason)
    assert request_of(second).request_id == "DSR-2"


@pytest.mark.parametrize("end", ["o,a@example.com\n", "o,a@example.com,\n", "o,a@example.com,,\n"])
def test_columns_without_a_heading_hide_no_torn_row(inbox: Store, end: str) -> None:
    headings = "request_id,regulation,actions,email,products,email,,\n"
    [found] = read(inbox, f"{headings}DSR-1,gdpr,delete,b@example.com,market\n{end}", "requests.csv")
    assert str(found.reason).startswith("lines 2 to 3 look like one row")


@pytest.mark.parametrize(
    "faulty",
    [
        "Jane Doe,cpra_usa,access\n",
        "Anfrage 2,DSGVO,access\n",
        "4915112345678,gdprr,access|delete\n",
        "4915112345678,dpdpa,auskunft\n",
        "Total,,,,,\n",
    ],
)
def test_a_faulty_row_takes_no_short_row_before_it_with_it(inbox: Store, faulty: str) -> None:
    first, second = read(inbox, f"{TABLE}DSR-1,gdpr,access,b@example.com\n{faulty}", "requests.csv")
    assert request_of(first).request_id == "DSR-1"
    assert (second.number, second.request) == (3, None)
    assert "one row" not in str(second.reason)


@pytest.mark.parametrize(
    "after",
    ["", ",,,\n", "# end\n", "DSR-2,gdpr,access\n", "jane,gdpr,access\n", TABLE, "junk,junk\n", ",,,,,,1\n"],
)
def test_a_row_without_its_last_cells_is_read_whatever_comes_after_it(inbox: Store, after: str) -> None:
    """Excel writes no separators for empty cells at the end of a row."""
    first, *others = read(inbox, f"{TABLE}DSR-1,gdpr,access,b@example.com\n{after}", "requests.csv")
    assert request_of(first).request_id == "DSR-1"
    assert [line.number for line in others if line.request is None] == (
        [3] if after and after not in (",,,\n", TABLE) else []
    )


def test_a_table_of_headings_alone_holds_no_request(inbox: Store) -> None:
    assert read(inbox, f"{HEADER}\n", "x.csv") == []


def test_a_line_may_be_as_long_as_the_limit_and_no_longer(inbox: Store) -> None:
    good = json.dumps(GOOD)
    exact = good + " " * (MAX_LINE_BYTES - len(good))
    first, second = read(inbox, f"{exact}\n{exact} ")
    assert first.request is not None
    assert second.reason == f"longer than {MAX_LINE_BYTES} bytes"


def test_a_table_and_lines_of_one_name_have_reports_of_their_own(inbox: Store) -> None:
    for name in ("r.csv", "r.jsonl"):
        write_rejected(inbox, f"{DAY}/{name}", [Line(f"{DAY}/{name}", 1, reason="why")])
    reports = sorted(entry.key for entry in inbox.objects(f"{DAY}/rejected"))
    assert reports == [f"{DAY}/rejected/r.csv.jsonl", f"{DAY}/rejected/r.jsonl"]
