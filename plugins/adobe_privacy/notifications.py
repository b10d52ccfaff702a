"""Tells people, through whichever of Airflow's notifiers the organisation has chosen."""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseNotifier
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from adobe_privacy.hooks.variables import NotJson, json_variable

NOTIFIER_VARIABLE = "privacy_alarm_notifier"
_FORM = (
    f'the Airflow variable {NOTIFIER_VARIABLE} must be like {{"class": '
    '"airflow.providers.smtp.notifications.smtp.SmtpNotifier", "kwargs": {"to": …, "subject": "{{ alarm.subject }}", '
    '"html_content": "<pre>{{ alarm.message }}</pre>"}}, or a list of such'
)

log = logging.getLogger(__name__)


def configured_notifiers() -> list[BaseNotifier]:
    """What the variable `privacy_alarm_notifier` names; none where it is not set.

    Raises AirflowFailException where it cannot be used. Its text repeats no value: there may be secrets.
    """
    try:
        value = json_variable(NOTIFIER_VARIABLE)
    except NotJson:
        raise AirflowFailException(f"{_FORM}: it is not JSON") from None
    given = value if isinstance(value, list) else [value] if value else []
    return [_notifier(item) for item in given]


def notify(
    notifiers: Sequence[BaseNotifier], context: Mapping[str, Any], *, subject: str, message: str
) -> None:
    """Sends `{{ alarm.subject }}` and `{{ alarm.message }}` through each notifier, and writes them to the log.

    Raises AirflowException where one of them failed, after all others were tried.
    """
    log.warning("%s\n%s", subject, message)
    failed: list[str] = []
    for notifier in notifiers:
        try:
            # A notifier adds its own fields, such as `subject`, to the context that it is given.
            notifier({**context, "alarm": {"subject": subject, "message": message}})
        except Exception as error:
            failed.append(f"{type(notifier).__name__} ({type(error).__name__})")
    if failed:
        raise AirflowException(f"{len(failed)} of {len(notifiers)} notifiers failed: {', '.join(failed)}")


def _notifier(item: Any) -> BaseNotifier:
    if (
        not isinstance(item, dict)
        or not isinstance(item.get("class"), str)
        or set(item) - {"class", "kwargs"}
    ):
        raise AirflowFailException(_FORM)
    path, arguments = item["class"], item.get("kwargs") or {}
    try:
        kind = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError):
        raise AirflowFailException(
            f"{path}, which the Airflow variable {NOTIFIER_VARIABLE} names, cannot be imported: is its provider "
            "installed?"
        ) from None
    if not (isinstance(kind, type) and issubclass(kind, BaseNotifier)):
        raise AirflowFailException(f"{path}, which {NOTIFIER_VARIABLE} names, is no notifier")
    try:
        return kind(**arguments)
    except TypeError as error:
        raise AirflowFailException(
            f"{path} cannot be made with the kwargs of {NOTIFIER_VARIABLE}: {error}"
        ) from None
