"""What the page reads: the ledger, the service's settings, the archive. Each is opened when it is first needed,
not when Airflow starts, and is looked up anew every minute, so that a corrected connection is taken up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Request

from adobe_privacy.hooks.adobe_privacy import AdobePrivacyHook
from adobe_privacy.hooks.ledger import configured_ledger, open_configured, open_ledger
from adobe_privacy.hooks.settings import location, organisation_settings, variable_of
from adobe_privacy.hooks.storage import open_archive, open_inbox
from adobe_privacy.intake.hand_in import Terms
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.overview import Overview
from adobe_privacy.organisations import DEFAULT
from adobe_privacy.settings import LedgerSettings, ServiceSettings, read_variables
from adobe_privacy.storage import Store
from adobe_privacy.web.access import organisation_in

T = TypeVar("T")


class Source:
    """One per web application; its methods may be called in any thread."""

    def __init__(self, organisation: str = DEFAULT) -> None:
        self.organisation = organisation
        self._opened: tuple[LedgerSettings, Ledger] | None = None
        self.ledger: Callable[[], Ledger] = _Kept(self._open_ledger)
        self.settings: Callable[[], ServiceSettings] = _Kept(self._settings)
        self.inbox: Callable[[], Store] = _Kept(lambda: open_inbox(location("inbox", organisation)))
        self.archive: Callable[[], Store] = _Kept(
            lambda: open_archive(location("archive", organisation), create=False)
        )

    def close(self) -> None:
        if self._opened is not None:
            self._opened[1].close()

    def terms(self) -> Terms:
        """By what intake judges a request. Raises SettingsError."""
        service = self.settings()
        return Terms(
            service.products, service.client.org_id, service.strict_identities, service.company_contexts
        )

    def id_scheme(self) -> str:
        """Raises SettingsError."""
        name = "privacy_request_id_scheme"
        return read_variables({name: variable_of(self.organisation, name)}).request_id_scheme

    def overview(self) -> Overview:
        """Raises what `open_ledger` does, and LedgerError where there is no ledger yet."""
        return self.ledger().overview

    def ledger_of(self, user: str) -> Ledger:
        """For one change, which is signed by the user; the caller closes it."""
        self.ledger()
        return open_ledger(f"user/{user}", self.organisation, existing=True)

    def _settings(self) -> ServiceSettings:
        return AdobePrivacyHook(organisation_settings(self.organisation).connection).settings()

    def _open_ledger(self) -> Ledger:
        settings = configured_ledger(self.organisation)
        path = settings.file
        # Opening would make an empty one, which says that there are no requests.
        if path is not None and not path.exists():
            raise LedgerError(
                f"There is no ledger yet: {path} does not exist. The first run of "
                f"{organisation_settings(self.organisation).own('privacy_requests')} makes it, or the command "
                f"`airflow privacy upgrade`. If there has been "
                f"one, the connection {settings.conn_id} leads this api-server to another place than the workers."
            )
        # A ledger of another version may have been upgraded meanwhile.
        if self._opened is None or self._opened[0] != settings or self._opened[1].only_reads:
            self.close()
            self._opened = (settings, open_configured(settings, "page", existing=True))
        return self._opened[1]


class _Kept(Generic[T]):
    """Fetches a value, and again after a minute; a failure is not kept."""

    def __init__(self, fetch: Callable[[], T], seconds: float = 60) -> None:
        self._fetch = fetch
        self._seconds = seconds
        self._lock = threading.Lock()
        self._value: tuple[T, float] | None = None

    def __call__(self) -> T:
        with self._lock:
            if self._value is None or self._value[1] < time.monotonic():
                self._value = (self._fetch(), time.monotonic() + self._seconds)
            return self._value[0]

    def forget(self) -> None:
        self._value = None


def _source(request: Request) -> Source:
    """After `may_read`, which knows the organisation."""
    sources: dict[str, Source] = request.app.state.sources
    organisation = organisation_in(request)
    return sources.setdefault(organisation, Source(organisation))


SourceDep = Annotated[Source, Depends(_source)]
