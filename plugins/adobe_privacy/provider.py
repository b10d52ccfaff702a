"""What Airflow reads of an installed provider: the connection type and its form, links and commands."""

from __future__ import annotations

from typing import Any

from adobe_privacy import __version__
from adobe_privacy.api.facts import DAILY_JOBS, GATEWAY_TIMEOUT

PROJECT = "https://github.com/airflow-adobe-privacy/airflow-adobe-privacy"
_NAME = "Adobe Privacy Service"


def get_provider_info() -> dict[str, Any]:
    """The entry point `apache_airflow_provider`. Imports nothing of Airflow: it is read at every start."""
    return {
        "package-name": "airflow-adobe-privacy",
        "name": _NAME,
        "description": "Privacy requests through Adobe's Privacy Service API.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _NAME,
                "external-doc-url": "https://developer.adobe.com/experience-platform-apis/references/privacy-service/",
                "how-to-guide": [
                    f"{PROJECT}/blob/main/docs/{name}.md" for name in ("production", "operations")
                ],
                "logo": f"{PROJECT}/blob/main/plugins/adobe_privacy/web/static/icon.svg",
                "tags": ["service"],
            }
        ],
        **{
            kind: [{"integration-name": _NAME, "python-modules": modules}]
            for kind, modules in {
                "operators": [
                    f"adobe_privacy.operators.privacy_{name}"
                    for name in ("requests", "approval", "sweep", "optouts", "retention", "alarms")
                ],
                "sensors": ["adobe_privacy.sensors.privacy_jobs"],
                "hooks": ["adobe_privacy.hooks.adobe_privacy"],
                "triggers": ["adobe_privacy.triggers.privacy_jobs"],
            }.items()
        },
        "cli": ["adobe_privacy.airflow_commands.privacy_commands"],
        "extra-links": [
            "adobe_privacy.links.PrivacyPageLink",
            "adobe_privacy.links.PrivacyArchiveLink",
            "adobe_privacy.links.AdobePrivacyLink",
        ],
        "config": {
            "adobe_privacy": {
                "description": "Privacy requests through Adobe's Privacy Service.",
                "options": {
                    "organisations": _option(
                        "Further Adobe organisations besides the default one, separated by commas. Each NAME has the "
                        "options NAME_connection, NAME_ledger, NAME_inbox_uri and NAME_archive_uri (docs/settings.md).",
                        "eu, us",
                    ),
                    "notifiers": _option(
                        "Classes of notifiers that the variable privacy_alarm_notifier may name besides those of "
                        "Airflow's providers, separated by commas.",
                        "my_company.notifiers.Pager",
                    ),
                },
            }
        },
        "connection-types": [
            {
                "connection-type": "adobe_privacy",
                "hook-class-name": "adobe_privacy.hooks.adobe_privacy.AdobePrivacyHook",
                "hook-name": "Adobe Privacy Service",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema"],
                    "relabeling": {
                        "host": "API base URL",
                        "login": "OAuth client id",
                        "password": "OAuth client secret",
                    },
                    "placeholders": {
                        "host": "https://platform.adobe.io/data/core/privacy",
                        # Airflow 3.3's own Test button works only where the port is stored.
                        "port": "443 (Test needs it)",
                        "login": "needed",
                        "password": "needed",
                    },
                },
                "conn-fields": {
                    "org_id": _field("Organisation id", "Needed. Ends in @AdobeOrg."),
                    "token_url": _field(
                        "Token URL", "Empty: https://ims-na1.adobelogin.com/ims/token/v3", format="url"
                    ),
                    "scopes": _field("OAuth scopes", "Separated by commas; empty: a default that works."),
                    "products": _field(
                        "Products", "Separated by commas: asked of requests that name none, e.g. analytics."
                    ),
                    "company_contexts": _field(
                        "Further company contexts", 'JSON: [{"namespace": "…", "value": "…"}]', format="json"
                    ),
                    "strict_identities": _field(
                        "Strict identities",
                        "true: refuse a request for a product that can use none of its identities. Empty: false, warn.",
                    ),
                    "expand_ids": _field(
                        "Expand ids",
                        "Where a request does not say: true or false. Analytics also looks for the person's cookies.",
                    ),
                    "priority": _field(
                        "Priority", "Where a request does not say: normal or low; empty: Adobe's."
                    ),
                    "merge_policy_id": _field(
                        "Merge policy id", "Where a request does not say; empty: the Profile's default."
                    ),
                    "analytics_delete_method": _field(
                        "Analytics delete method",
                        "Where a request does not say: anonymize or purge; empty: Adobe's.",
                    ),
                    "daily_job_limit": _field(
                        "Jobs per UTC day", f"Empty: {DAILY_JOBS}.", type=["integer", "null"], minimum=1
                    ),
                    "schedule_share": _field(
                        "Share kept for the schedule",
                        "Of the daily jobs, while a backfill runs: 0 to 1, empty: 0.25.",
                        type=["number", "null"],
                        minimum=0,
                    ),
                    "list_lag": _field(
                        "List lag, seconds",
                        "How long a new job may be missing from Adobe's list; empty: 300.",
                        type=["number", "null"],
                        minimum=0,
                    ),
                    "verify": _field(
                        "TLS", "Path of certificate authorities, or false. Empty: the usual authorities."
                    ),
                    "proxy": _field(
                        "Proxy URL",
                        "Such as http://proxy.example.com:3128, or false. Empty: the environment's.",
                        format="password",
                    ),
                    "timeout": _field(
                        "Timeout, seconds",
                        f"Empty: {GATEWAY_TIMEOUT:.0f}, as Adobe's gateway.",
                        type=["number", "null"],
                        minimum=1,
                    ),
                    "insecure": _field(
                        "Insecure", "true: allow http for the API and the token. Empty: false."
                    ),
                    "download_hosts": _field(
                        "Hosts of results", "Separated by commas; empty: Adobe's known storage hosts."
                    ),
                },
            }
        ],
    }


def _field(label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


def _option(description: str, example: str) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": __version__,
        "type": "string",
        "example": example,
        "default": "",
    }
