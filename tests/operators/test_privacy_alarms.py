"""Alarms as the DAG's task tells them, through notifiers of a user's choice."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from adobe_privacy.intake.files import unread_files
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.operators.privacy_alarms import PrivacyAlarmsOperator
from adobe_privacy.operators.privacy_requests import CreatePrivacyJobsOperator, PlanPrivacyRequestsOperator
from adobe_privacy.operators.privacy_sweep import SweepPrivacyJobsOperator
from adobe_privacy.planning import unread as planning_unread
from adobe_privacy.reporting.attention import read_attention
from scripts.stack import free_port
from tests.support.ledgers import counted
from tests.support.notifiers import FileNotifier, told
from tests.support.privacy import World, context, request

FILE_NOTIFIER = "tests.support.notifiers.FileNotifier"


@pytest.fixture
def late(world: World) -> World:
    """Two requests that came three weeks ago and are not even planned to be sent."""
    day = datetime.now(UTC).date() - timedelta(days=21)
    world.put(request(1, "access", "delete"), request(2), day=day)
    PlanPrivacyRequestsOperator(task_id="plan").execute(context(day, max_jobs=1))
    return world


def use(patch: pytest.MonkeyPatch, *notifiers: dict[str, Any]) -> None:
    patch.setenv("AIRFLOW__ADOBE_PRIVACY__NOTIFIERS", FILE_NOTIFIER)
    patch.setenv("AIRFLOW_VAR_PRIVACY_ALARM_NOTIFIER", json.dumps(list(notifiers)))


def raise_alarms(*events: Any, **options: Any) -> dict[str, int]:
    return PrivacyAlarmsOperator(task_id="alarms", **options).execute(context(events=events))


def test_one_message_tells_of_all_with_ids_and_without_identities(
    late: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "told"
    use(monkeypatch, {"class": FILE_NOTIFIER, "kwargs": {"path": str(path)}})
    assert raise_alarms() == {"clock": 2}
    (message,) = told(path)
    assert message["subject"] == "Privacy requests: 2 unfinished requests with 50 % of the time used"
    assert "- DSR-1 (gdpr), due " in message["message"]
    assert "access planned, delete received" in message["message"]
    assert "example.com" not in json.dumps(message)
    assert raise_alarms() == {}
    assert len(told(path)) == 1


def test_without_a_notifier_the_log_tells_once(late: World, caplog: pytest.LogCaptureFixture) -> None:
    assert raise_alarms() == {"clock": 2}
    (record,) = [record for record in caplog.records if "DSR-1" in record.getMessage()]
    assert record.levelno == logging.WARNING
    caplog.clear()
    assert raise_alarms() == {}
    assert "DSR-1" not in caplog.text


def test_what_a_notifier_could_not_tell_is_told_again_by_all_of_them(
    late: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, path = tmp_path / "folder", tmp_path / "told"
    folder.mkdir()
    use(
        monkeypatch,
        {"class": FILE_NOTIFIER, "kwargs": {"path": str(folder)}},
        {"class": FILE_NOTIFIER, "kwargs": {"path": str(path)}},
    )
    with pytest.raises(AirflowException, match=r"1 of 2 notifiers failed: FileNotifier .IsADirectoryError"):
        raise_alarms()
    assert len(told(path)) == 1
    folder.rmdir()
    assert raise_alarms() == {"clock": 2}
    assert [len(told(folder)), len(told(path))] == [1, 2]
    assert raise_alarms() == {}


@pytest.mark.parametrize(
    "template",
    [
        "{{ conn.adobe_privacy_default.password }}",
        "{{ var.value.privacy_inbox_uri }}",
        "{{ ti }}{{ dag_run }}",
    ],
)
def test_the_variable_gets_no_connection_and_no_variable(
    late: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    path = tmp_path / "told"
    message = "{{ alarm.subject }}|" + template
    use(monkeypatch, {"class": FILE_NOTIFIER, "kwargs": {"path": str(path), "message": message}})
    with contextlib.suppress(AirflowException):
        raise_alarms()
    assert all(each["message"].rpartition("|")[2] == "" for each in told(path))


@pytest.mark.parametrize("path", ["tests.support.notifiers.FileNotifier", "subprocess.Popen", "os.system"])
def test_the_variable_imports_nothing_but_notifiers_that_are_allowed(
    world: World, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    use(monkeypatch, {"class": path})
    monkeypatch.delenv("AIRFLOW__ADOBE_PRIVACY__NOTIFIERS")
    with pytest.raises(AirflowFailException, match="is not allowed"):
        raise_alarms()


def test_an_operator_may_bring_its_own_notifiers(
    late: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {"class": "not.there"})
    own = FileNotifier(str(tmp_path / "own"), message="{{ dag_run.run_type }}: {{ alarm.message }}")
    assert raise_alarms(notifiers=[own]) == {"clock": 2}
    assert told(tmp_path / "own")[0]["message"].startswith("scheduled: ")


class Mailbox(Message):
    def __init__(self) -> None:
        super().__init__()
        self.mails: list[Any] = []

    def handle_message(self, message: Any) -> None:
        self.mails.append(message)


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    handler, port = Mailbox(), free_port(10025)
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


def test_airflows_own_smtp_notifier_sends_it_as_the_docs_say(
    late: World, mailbox: tuple[Mailbox, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, port = mailbox
    extra = {"disable_tls": True, "disable_ssl": True, "from_email": "airflow@example.com"}
    connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    settings = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    example = settings.split("```json\n")[1].split("```")[0]
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ALARM_NOTIFIER", example)
    assert raise_alarms() == {"clock": 2}
    (mail,) = handler.mails
    assert mail["Subject"] == "Privacy requests: 2 unfinished requests with 50 % of the time used"
    (body,) = (part.get_payload(decode=True).decode() for part in mail.walk() if not part.is_multipart())
    assert "DSR-1 (gdpr), due" in body


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("{", "not JSON"),
        ('"mail"', "encoded as JSON twice"),
        ('{"class": "x.Y", "token": "s3cret"}', "token is not known; known are class, kwargs"),
        ('{"class": "airflow.providers.not_there.Notifier"}', "cannot be imported"),
        ('{"class": "airflow.providers.smtp.hooks.smtp.SmtpHook"}', "is no notifier"),
        (json.dumps({"class": FILE_NOTIFIER, "kwargs": {"to": "s3cret"}}), "cannot be made"),
    ],
)
def test_a_variable_that_cannot_be_used_is_told_before_anything_is_noted(
    late: World, monkeypatch: pytest.MonkeyPatch, value: str, text: str
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_ALARM_NOTIFIER", value)
    monkeypatch.setenv("AIRFLOW__ADOBE_PRIVACY__NOTIFIERS", FILE_NOTIFIER)
    with pytest.raises(AirflowFailException, match=text) as failure:
        raise_alarms()
    assert "s3cret" not in str(failure.value)
    monkeypatch.delenv("AIRFLOW_VAR_PRIVACY_ALARM_NOTIFIER")
    assert raise_alarms() == {"clock": 2}


def test_a_used_up_quota_is_told(world: World) -> None:
    world.put(request(1))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    with Ledger(world.ledger_url, actor="test") as ledger:
        ledger.quotas.record_refusal(ledger.now().date())
    assert raise_alarms() == {"quota": 1}
    assert raise_alarms() == {}


def test_a_sweep_that_has_not_succeeded_for_36_hours_is_told_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Known from the events of the archive's asset, whose other events are of other DAGs."""

    # Once: a sweep of another minute is another sweep, of which is told anew.
    now = datetime.now(UTC)

    def event(hours_ago: int, dag_id: str = "privacy_sweep", regulation: str = "*") -> Any:
        extra = {"archived": 0, "regulation": regulation}
        return SimpleNamespace(source_dag_id=dag_id, timestamp=now - timedelta(hours=hours_ago), extra=extra)

    others = event(1, "privacy_requests")
    assert raise_alarms(others) == {}, "one that never ran, or is off for weeks"
    assert raise_alarms(event(60), event(35), others) == {}
    limited = event(2, regulation="gdpr"), event(1, regulation="gdpr,ccpa")
    assert raise_alarms(event(60), event(35), others, *limited) == {}
    assert raise_alarms(event(60), event(37), others, *limited) == {"sweep": 1}
    assert raise_alarms(event(90, regulation="gdpr")) == {"sweep": 1}, "each sweep is limited"
    assert "privacy_sweep last went through all open jobs at" in caplog.text
    assert raise_alarms(event(60), event(37), others) == {}
    assert raise_alarms(event(99, "sweep_eu"), sweep_dag_id="sweep_eu") == {"sweep": 1}


def test_a_sweep_that_failed_only_to_tell_a_person_is_not_late(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A job of ours that a product did not do, each day: each sweep fails, and each has done its work."""
    event = SimpleNamespace(
        source_dag_id="privacy_sweep", timestamp=datetime.now(UTC) - timedelta(hours=60), extra={}
    )
    world.put(request(1, "delete", products=["analytics"]))
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    world.simulator.advance(60)
    with pytest.raises(AirflowFailException, match="1 jobs need a look"):
        SweepPrivacyJobsOperator(task_id="sweep").execute(
            context(datetime.fromisoformat(world.simulator.now()).date())
        )
    assert raise_alarms(event) == {"not_done": 1}
    assert "sweep is late" not in caplog.text


@pytest.mark.parametrize(("ago", "told"), [(35, {}), (37, {"sweep": 1})])
def test_the_ledger_says_when_a_sweep_last_went_through(
    world: World, caplog: pytest.LogCaptureFixture, ago: int, told: dict[str, int]
) -> None:
    now = datetime.now(UTC)
    event = SimpleNamespace(source_dag_id="privacy_sweep", timestamp=now - timedelta(hours=60), extra={})
    with Ledger(world.ledger_url, actor="test", now=lambda: now - timedelta(hours=ago)) as ledger:
        ledger.others.note_sweep()
    assert raise_alarms(event) == told
    assert raise_alarms(event) == {}, "told once"


def test_a_whole_sweep_of_long_ago_does_not_hide_that_each_is_limited_now(world: World) -> None:
    """Nor does anything hide that none has gone through since."""
    now = datetime.now(UTC)

    def event(hours_ago: int) -> Any:
        moment = now - timedelta(hours=hours_ago)
        return SimpleNamespace(
            source_dag_id="privacy_sweep", timestamp=moment, extra={"regulation": "gdpr,ccpa"}
        )

    with Ledger(world.ledger_url, actor="test", now=lambda: now - timedelta(days=90)) as ledger:
        ledger.others.note_sweep()
    assert raise_alarms(event(2), event(26)) == {}
    assert raise_alarms(event(40)) == {"sweep": 1}
    assert raise_alarms() == {"sweep": 1}


YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
TWO_DAYS, LONG_AGO = timedelta(days=2), timedelta(days=4)


def aged(world: World, name: str = "requests.jsonl", by: timedelta = TWO_DAYS) -> Path:
    """A file in yesterday's folder that was written so long ago."""
    path = world.inbox / f"{YESTERDAY}" / name
    moment = (datetime.now(UTC) - by).timestamp()
    os.utime(path, (moment, moment))
    return path


def looked(world: World, ago: timedelta) -> None:
    """The plan last looked so long ago."""
    with Ledger(world.ledger_url, actor="test", now=lambda: datetime.now(UTC) - ago) as ledger:
        ledger.inbox.note_look(f"file://{world.inbox}")


def unread(world: World) -> list[str]:
    with Ledger(world.ledger_url, actor="test") as ledger:
        return [
            f"{item.about}: {item.text}"
            for item in read_attention(ledger).items
            if item.kind.name == "unread"
        ]


@pytest.mark.parametrize("never", [True, False])
def test_files_that_no_plan_reads_are_in_the_list_until_one_does(
    world: World, caplog: pytest.LogCaptureFixture, never: bool
) -> None:
    """privacy_requests is paused, as Airflow makes each new DAG, or its plan fails."""
    if not never:
        looked(world, LONG_AGO)
    world.put(request(1), day=YESTERDAY)
    world.put(request(2), day=YESTERDAY, name="young.jsonl")
    (world.inbox / f"{YESTERDAY}" / "_SUCCESS").touch()
    aged(world)
    assert raise_alarms() == {"unread": 1}
    (told_of,) = unread(world)
    assert f"{YESTERDAY}/requests.jsonl" in told_of
    assert "see that the DAG is not paused" in told_of
    assert "see that the DAG is not paused" in caplog.text
    assert ("looked into the inbox since" in told_of) is not never
    assert raise_alarms() == {}
    assert len(unread(world)) == 1
    assert PlanPrivacyRequestsOperator(task_id="plan").execute(context(YESTERDAY))
    assert unread(world) == []
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert sum(counted(ledger).values()) == 2


def test_where_a_plan_looks_nothing_is_told_of_the_inbox(world: World) -> None:
    """Nor is it looked into: each hour, all folders of 45 days would be listed."""
    PlanPrivacyRequestsOperator(task_id="plan").execute(context(YESTERDAY))
    world.put(request(1), day=YESTERDAY)
    aged(world, by=timedelta(days=30))
    assert raise_alarms() == {}
    world.inbox.rename(world.inbox.with_name("away"))
    assert raise_alarms() == {}


def test_a_plan_of_a_day_long_ago_and_a_dry_run_have_not_looked(world: World) -> None:
    PlanPrivacyRequestsOperator(task_id="plan").execute(context(YESTERDAY - timedelta(days=20)))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context(YESTERDAY, dry_run=True))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context(YESTERDAY, run_type="backfill"))
    world.put(request(1), day=YESTERDAY)
    aged(world)
    assert raise_alarms() == {"unread": 1}


def test_an_inbox_that_cannot_be_looked_into_is_no_empty_one(
    late: World, caplog: pytest.LogCaptureFixture
) -> None:
    looked(late, LONG_AGO)
    away = late.inbox.with_name("away")
    late.inbox.rename(away)
    with pytest.raises(AirflowException, match="inbox"):
        raise_alarms()
    assert "DSR-1" in caplog.text, "all else is told first"
    away.rename(late.inbox)
    assert raise_alarms() == {}


def test_what_a_person_closed_is_told_no_more(world: World) -> None:
    world.put(request(1), day=YESTERDAY)
    aged(world)
    assert raise_alarms() == {"unread": 1}
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert ledger.inbox.close(YESTERDAY, "requests.jsonl", "a test") == 1
    assert raise_alarms() == {}
    assert unread(world) == []


def test_a_weekend_without_a_plan_is_no_alarm(world: World) -> None:
    looked(world, timedelta(hours=80))
    world.put(request(1), day=YESTERDAY)
    aged(world)
    assert raise_alarms() == {}


def test_what_is_new_in_a_file_with_a_rejected_line_is_told_too(world: World) -> None:
    world.put(request(1), request(2) | {"regulation": "none"}, day=YESTERDAY)
    PlanPrivacyRequestsOperator(task_id="plan").execute(context(YESTERDAY))
    world.put(request(1), request(2) | {"regulation": "none"}, request(3), day=YESTERDAY)
    aged(world)
    looked(world, LONG_AGO)
    assert raise_alarms()["unread"] == 1


def test_what_a_plan_has_just_found_stays_as_it_found_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads, between the look of the alarms and their note, and finds a file that nobody can read, too."""
    world.put(request(1), day=YESTERDAY)
    aged(world)
    looked_for = unread_files

    def and_a_plan(*arguments: Any, **options: Any) -> Any:
        found = looked_for(*arguments, **options)
        (world.inbox / f"{YESTERDAY}" / "wrong.csv").write_text("no,such,heading\n1,2,3\n")
        assert PlanPrivacyRequestsOperator(task_id="plan").execute(context(YESTERDAY))
        return found

    monkeypatch.setattr(planning_unread, "unread_files", and_a_plan)
    assert raise_alarms() == {"unread": 1}
    (told_of,) = unread(world)
    assert "wrong.csv" in told_of
    with Ledger(world.ledger_url, actor="test") as ledger:
        marks = ledger.inbox.read_files(YESTERDAY, YESTERDAY).values()
    assert all(mark for _, mark in marks), "no file is read again for this"


def test_a_plan_with_an_inbox_of_its_own_is_not_looked_after(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(request(1), day=YESTERDAY)
    aged(world)
    monkeypatch.delenv("AIRFLOW_VAR_PRIVACY_INBOX_URI")
    assert raise_alarms() == {}
    assert raise_alarms(inbox_uri=f"file://{world.inbox}") == {"unread": 1}


def test_whatever_stops_the_look_the_alarms_are_told(
    late: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ImportError("no module named of_a_provider")

    monkeypatch.setattr(planning_unread, "note_unread", broken)
    with pytest.raises(ImportError):
        raise_alarms()
    assert "DSR-1" in caplog.text
