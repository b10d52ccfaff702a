"""What Airflow finds by the entry point `airflow.plugins`: the page "Privacy requests", the runs' notes and the
preloading of the DAGs."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow import __version__ as airflow_version
from airflow.plugins_manager import AirflowPlugin

from adobe_privacy import preloading, run_notes
from adobe_privacy._compat import warn_if_untested


class AdobePrivacyPlugin(AirflowPlugin):
    name = "adobe_privacy"
    listeners = [preloading, run_notes]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            # A longer one is cut in Airflow's navigation.
            "name": "Privacy",
            # Relative: Airflow may be served below a path.
            "href": "privacy/",
            "url_route": "privacy-requests",
            "destination": "nav",
            "icon": "privacy/static/icon.svg",
            "icon_dark_mode": "privacy/static/icon-dark.svg",
        }
    ]

    @classmethod
    def on_load(cls, *_args: Any, **_kwargs: Any) -> None:
        warn_if_untested(airflow_version)

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        # Read by the api-server alone, while every component loads plugins: FastAPI is not theirs to import.
        from adobe_privacy.web.access import PREFIX
        from adobe_privacy.web.app import create_app

        return [{"app": create_app(), "url_prefix": PREFIX, "name": "Privacy requests"}]
