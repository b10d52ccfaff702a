"""The links on tasks. Each is computed by the task itself and kept as an XCom, so it holds no more than ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs
from airflow.sdk import BaseOperatorLink, conf

from adobe_privacy.organisations import DEFAULT

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

# Below the page: one organisation's own, `organisations/eu/`.
ORGANISATIONS = "organisations"
# Adobe's documentation of privacy requests gives this address of the Privacy Service UI (Audience Manager guide,
# "Data Privacy Requests"; Marketo Engage guide). It documents none of a single job: search for its id there.
ADOBE_URL = "https://privacyui.cloud.adobe.io/"


def page_url(organisation: str = DEFAULT, **filters: str) -> str:
    """The page "Privacy requests" of an organisation, relative to the UI's host where Airflow does not know
    its own address."""
    base = str(conf.get("api", "base_url", fallback=None) or "").rstrip("/")
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in filters.items())
    within = "" if organisation == DEFAULT else f"{ORGANISATIONS}/{organisation}/"
    return f"{base}/privacy/{within}" + (f"?{query}" if query else "")


def owner_links(owner: str = "privacy", organisation: str = DEFAULT) -> dict[str, str]:
    """For the DAGs' owner: the page, where Airflow knows its own address; a link without a host is refused."""
    url = page_url(organisation)
    return {owner: url} if url.startswith(("http://", "https://")) else {}


def console_url(uri: str) -> str | None:
    """Where a browser shows an archive's results: the console of AWS or Google; None for other places."""
    from adobe_privacy.storage import InvalidLocation, parse_location

    try:
        location = parse_location(uri)
    except InvalidLocation:
        return None
    jobs = quote(f"{location.prefix}/jobs/".lstrip("/"))
    if location.scheme == "s3" and not _has_endpoint_of_its_own(location.conn_id):
        return f"https://console.aws.amazon.com/s3/buckets/{location.bucket}?prefix={jobs}"
    if location.scheme == "gs":
        return f"https://console.cloud.google.com/storage/browser/{location.bucket}/{jobs}"
    return None


def _has_endpoint_of_its_own(conn_id: str | None) -> bool:
    """Whether a bucket lies at another service than AWS."""
    if conn_id is None:
        return False
    from adobe_privacy.hooks.look_ups import look_up_connection

    connection = look_up_connection(conn_id)
    extra = connection.extra_dejson if connection else {}
    return bool(extra.get("endpoint_url") or (extra.get("service_config") or {}).get("s3"))


def _batch_page(operator: Any) -> str:
    organisation = getattr(operator, "organisation", DEFAULT)
    batch_id = getattr(operator, "batch_id", None)
    return page_url(organisation, **({"batch": batch_id} if isinstance(batch_id, str) else {}))


@attrs.define()
class PrivacyPageLink(BaseOperatorLink):
    """The page of requests, filtered to the task's batch where it has one."""

    @property
    def name(self) -> str:
        return "Privacy requests"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return _batch_page(operator)


@attrs.define()
class PrivacyArchiveLink(BaseOperatorLink):
    """Where the results lie, as far as a browser can open it; else the page, which leads to each manifest."""

    @property
    def name(self) -> str:
        return "Archive"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        from adobe_privacy.hooks.look_ups import look_up_variable
        from adobe_privacy.settings import LookUpFailed

        try:
            uri = getattr(operator, "archive_uri", None) or look_up_variable("privacy_archive_uri")
            return (console_url(str(uri)) if uri else None) or _batch_page(operator)
        except LookUpFailed:
            return _batch_page(operator)


@attrs.define()
class AdobePrivacyLink(BaseOperatorLink):
    """Adobe's own page of privacy jobs; it needs a login there."""

    @property
    def name(self) -> str:
        return "Adobe Privacy Service"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return ADOBE_URL
