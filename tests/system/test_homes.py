"""The demo and what a person works with lie apart, and `make up` leaves a person's settings as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import demo, up
from scripts.stack import ROOT, Stack, StackError

pytestmark = pytest.mark.timeout(1200)


def test_the_demo_and_the_work_share_no_folder_and_stay_in_the_clone() -> None:
    places = [demo.HOME, demo.DATA, up.HOME, up.DATA]
    for place in places:
        assert place.is_relative_to(ROOT)
        assert not any(other.is_relative_to(place) for other in places if other is not place)


def test_a_path_with_a_blank_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        StackError, match=r"^PostgreSQL's tools take no path with a blank .*: move this folder$"
    ):
        Stack(tmp_path / "with a blank", tmp_path / "data")


def test_what_a_person_has_set_is_left_as_it_is_and_named(tmp_path: Path) -> None:
    said: list[str] = []
    stack = Stack(tmp_path / "airflow", tmp_path / "data", keep=True, say=said.append)
    stack.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{tmp_path}/airflow.db"
    stack.simulator_url = "http://localhost:8181"
    stack.logs.mkdir(parents=True)
    stack._prepare_airflow()
    mine = "s3://aws_default@mine/inbox"
    stack.airflow("variables", "set", "privacy_inbox_uri", mine)
    said.clear()
    stack._prepare_airflow()
    assert mine in stack.airflow("variables", "get", "privacy_inbox_uri")
    told = "\n".join(said)
    assert "adobe_privacy_default" in told
    assert "privacy_inbox_uri" in told
