from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

from adobe_privacy.command_line import main
from adobe_privacy.intake.catalogue import PRODUCT_USES
from adobe_privacy.intake.check import check_file

DAY = date(2026, 11, 20)
DOCS = Path(__file__).parents[2] / "docs" / "requests.md"
SAMPLES = Path(__file__).parents[2] / "include" / "samples" / "inbox"
EXAMPLES = re.findall(r"^```(csv|jsonl|json)\n(.*?)^```", DOCS.read_text(), re.MULTILINE | re.DOTALL)
GOOD = "DSR-1,gdpr,access,analytics,jane@example.com\n"


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_the_examples_of_the_documents_are_read(kind: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / f"example.{kind}"
    file.write_text(text)
    check = check_file(file, DAY)
    assert check.lines
    assert [line.reason for line in check.refused] == []


@pytest.mark.parametrize(
    "file", sorted(SAMPLES.glob("*/*")), ids=lambda file: f"{file.parent.name}/{file.name}"
)
def test_the_samples_are_read_but_for_the_one_fault_they_show(file: Path) -> None:
    refused = [(line.line, str(line.reason)[:10]) for line in check_file(file, DAY).refused]
    assert refused == ([(4, "request_id")] if file.suffix == ".csv" else [])


def test_the_documents_say_what_the_catalogue_says() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| (.*) \|$", DOCS.read_text(), re.MULTILINE)
    for product, uses in rows:
        assert uses == PRODUCT_USES[product].in_words
    assert {product for product, _ in rows} == set(PRODUCT_USES) - {"automationProduct", "DPSC"}


def file_of(folder: Path, rows: str, name: str = "r.csv") -> str:
    (folder / name).write_text("request_id,regulation,actions,products,email\n" + rows)
    return str(folder / name)


def test_a_file_that_is_fine_is_shown_with_its_warnings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["intake", "check", file_of(tmp_path, GOOD)]) == 0
    shown = capsys.readouterr().out
    assert "separator comma" in shown
    assert "DSR-1" in shown
    assert "look for nobody" in " ".join(re.sub(r"[│┃]", " ", shown).split())
    assert "jane" not in shown


def test_a_warning_names_the_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.csv"
    file.write_text(
        "request_id,regulation,actions,products,email:custom,ECID\n"
        "DSR-1,gdpr,access,identity,jane@example.com,\n"
        "DSR-2,gdpr,access,target,,44363657\n"
    )
    assert main(["intake", "check", str(file), "--json"]) == 0
    custom, short = (request["warnings"] for request in json.loads(capsys.readouterr().out)["requests"])
    assert custom.startswith("column 5: with the type custom, this is not the standard namespace email")
    assert short == "column 6: an ECID has 38 digits, this one has 8"


def test_a_warning_is_told_of_a_request_that_names_no_product(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["intake", "check", file_of(tmp_path, "DSR-1,gdpr,access,,info@example.com\n"), "--json"]) == 0
    )
    (request,) = json.loads(capsys.readouterr().out)["requests"]
    assert "role" in request["warnings"]


def test_a_refused_line_ends_in_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = GOOD + "DSR-2,gdpr,delete,analitycs,jane@example.com\n" + GOOD.replace("jane", "john")
    assert main(["intake", "check", file_of(tmp_path, rows), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["taken_for"].startswith("table, separator comma, UTF-8")
    assert [line["request_id"] for line in told["requests"]] == ["DSR-1"]
    assert [(line["line"], line["request_id"]) for line in told["refused"]] == [(3, "DSR-2"), (4, "DSR-1")]
    assert "perhaps analytics" in told["refused"][0]["reason"]
    assert "other content" in told["refused"][1]["reason"]
    assert "jane" not in json.dumps(told)


def test_what_is_no_file_of_requests_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["intake", "check", file_of(tmp_path, GOOD, "r.xlsx")]) == 1
    assert "not read" in capsys.readouterr().out
    assert main(["intake", "check", str(tmp_path / "missing.csv")]) == 2


def test_the_connections_rules_can_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = file_of(tmp_path, GOOD.replace("analytics", ""))
    assert main(["intake", "check", file]) == 0
    assert main(["intake", "check", file, "--products", "marketo", "--strict-identities"]) == 0
    assert main(["intake", "check", file, "--products", "analytics", "--strict-identities"]) == 1
    assert main(["intake", "check", file, "--products", "analitycs"]) == 2
    capsys.readouterr()
