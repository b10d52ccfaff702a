"""Tells people, through whichever of Airflow's notifiers the organisation has chosen."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseNotifier
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from adobe_privacy.plain_text import plain_logger
from adobe_privacy.settings import NotifierSettings

NOTIFIER_VARIABLE = "privacy_alarm_notifier"
PROVIDERS = "airflow.providers."

log = plain_logger(__name__)


def configured_notifiers(settings: Sequence[NotifierSettings]) -> list[BaseNotifier]:
    """What the variable `privacy_alarm_notifier` names; none where it is not set.

    Raises AirflowFailException where it cannot be used. Its text repeats no value: there may be secrets.
    """
    return [_notifier(item.path, item.arguments) for item in settings]


def notify(
    notifiers: Sequence[BaseNotifier], context: Mapping[str, Any], *, subject: str, message: str
) -> None:
    """Sends `{{ alarm.subject }}` and `{{ alarm.message }}` through each notifier, and writes them to the log.

    Their templates get the alarm and `context`: nothing else where a variable brought them, since whoever may edit
    variables is not one who may read every connection. Raises AirflowException where one of them failed, after all
    others were tried.
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


def _notifier(path: str, arguments: Mapping[str, Any]) -> BaseNotifier:
    allowed = str(conf.get("adobe_privacy", "notifiers", fallback="") or "")
    # Importing runs code, so the name is looked at before.
    if not path.startswith(PROVIDERS) and path not in allowed.replace(",", " ").split():
        raise AirflowFailException(
            f"{path}, which {NOTIFIER_VARIABLE} names, is not allowed: take one of Airflow's providers, or add it to "
            "Airflow's configuration [adobe_privacy] notifiers"
        )
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
