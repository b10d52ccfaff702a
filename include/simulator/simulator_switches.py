"""The ways in which the service can differ from itself: one switch per open question about the real one.

The defaults are Adobe's newest documents together with what was observed live in 2026.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _split(value: Any) -> Any:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def _range(value: Any) -> Any:
    if isinstance(value, str):
        low, _, high = value.partition("..")
        return (float(low), float(high or low))
    return (value, value) if isinstance(value, int | float) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
Permission = Literal["read", "write", "content", "optout_read", "optout_write"]
Permissions = Annotated[tuple[Permission, ...], BeforeValidator(_split)]
# Simulated seconds: one number, or a range that a job's own seeded random number picks from.
Delay = Annotated[tuple[float, float], BeforeValidator(_range)]


class Switches(BaseModel):
    """Values are checked on the way in; an unknown name is refused by pydantic's ValidationError."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Credential and tokens
    client_id: str = Field(
        default="simulator-client", description="client id of the one credential that exists"
    )
    client_secret: str = Field(default="simulator-secret", description="its secret")
    org_id: str = Field(
        default="0123456789ABCDEF01234567@AdobeOrg", description="the organisation it belongs to"
    )
    permissions: Permissions = Field(
        default=("read", "write", "content", "optout_read", "optout_write"),
        description="what the credential's product profile grants, comma separated",
    )
    permission_refusal: Literal["403", "1010-400"] = Field(
        default="403",
        description="how a missing permission is told: HTTP 403, or HTTP 400 with code 1010-400",
    )
    scopes: Names = Field(
        default=(
            "openid",
            "AdobeID",
            "read_organizations",
            "additional_info.projectedProductContext",
            "session",
        ),
        description="OAuth scopes that the credential may ask for; any other is `invalid_scope`",
    )
    invalid_client_status: Literal[400, 401] = Field(
        default=400, description="HTTP status of `invalid_client`"
    )
    token_lifetime_seconds: float = Field(
        default=86_399, description="real seconds that a token is good for", gt=0
    )
    expires_in_unit: Literal["seconds", "milliseconds"] = Field(
        default="seconds", description="unit of `expires_in`; the retired JWT exchange used milliseconds"
    )
    token_prefix: str = Field(
        default="", description="put before every access token, so that a test can search for it"
    )
    account_disabled: bool = Field(
        default=False, description="every API call is refused with 403 until switched off"
    )

    # List
    page_base: Literal[0, 1] = Field(
        default=0, description="number of the first page (guide: 0, OpenAPI file: 1)"
    )
    page_zero: Literal["refuse", "first_page", "empty"] = Field(
        default="refuse", description="what page 0 gives where the first page is 1"
    )
    page_size_default: int = Field(
        default=100, description="rows where `size` is absent (OpenAPI file: 25)", ge=1
    )
    page_size_max: int = Field(default=1000, description="largest `size` accepted (OpenAPI file: 100)", ge=1)
    list_order: Literal["newest_first", "oldest_first", "unstable"] = Field(
        default="newest_first", description="order of rows; `unstable` differs from call to call"
    )
    list_array: Literal["jobDetails", "jobs"] = Field(
        default="jobDetails", description="name of the array of rows"
    )
    total_records: Literal["page", "total"] = Field(
        default="page", description="`totalRecords` counts the rows of this page or of all pages"
    )
    empty_list: Literal["404", "200"] = Field(
        default="404", description="answer where nothing matches (observed: 404)"
    )
    list_dates: Literal["created", "modified", "completed"] = Field(
        default="created",
        description="the date that from/to/filterDate look at; `completed` hides unfinished jobs",
    )
    to_date_inclusive: bool = Field(
        default=True, description="whether jobs of the day `toDate` itself are listed"
    )
    future_to_date: Literal["accept", "refuse"] = Field(
        default="accept", description="whether a `toDate` after today is refused"
    )
    default_window_days: int = Field(default=7, description="days listed where no date is given", ge=1)
    lookback_days: int = Field(default=45, description="oldest `fromDate` (best practices page: 60)", ge=1)
    span_days: int = Field(default=30, description="longest from-to span", ge=1)
    refuse_submitted_filter: bool = Field(
        default=False, description="refuse `status=submitted`, as the guide's list lacks it"
    )
    gdpr_lists_ccpa: bool = Field(
        default=False, description="`regulation=gdpr` lists ccpa jobs too (oldest guide)"
    )
    list_forgets_with_detail: bool = Field(
        default=False, description="rows vanish from lists when their detail does"
    )
    list_lag_seconds: float = Field(
        default=0, description="REAL seconds for which a created job is in no list", ge=0
    )
    jobs_added_per_list_call: int = Field(
        default=0,
        description="jobs made elsewhere after each list call, so that rows shift between pages",
        ge=0,
    )

    # Create
    create_status: Literal[200, 201, 202] = Field(
        default=202, description="HTTP status of an accepted POST /jobs"
    )
    create_style: Literal["new", "old"] = Field(
        default="new", description="`old` has `requestStatus: 1`, no `requestId` and no identities"
    )
    create_array: Literal["jobs", "jobDetails"] = Field(
        default="jobs", description="name of the array of created jobs"
    )
    create_order: Literal["shuffled", "request"] = Field(
        default="shuffled", description="order of the created jobs"
    )
    refused_namespaces: Names = Field(
        default=(),
        description="a request with an identity of such a namespace is refused whole, in a text that names it",
    )
    max_users: int = Field(default=1000, description="users a request may hold", ge=1)
    max_identities: int = Field(default=9, description="identities a user may have", ge=1)
    retired_regulations: Literal["accept", "refuse"] = Field(
        default="accept",
        description="retired codes: accepted (observed 2026) or refused (documented since 2025-07-28)",
    )
    unprovisioned_products: Names = Field(default=(), description="products the organisation has not bought")
    unprovisioned_mode: Literal["ignore", "400", "6051"] = Field(
        default="6051", description="what naming such a product in `include` leads to"
    )
    unusable_identities: Literal["6053-200", "6000-200"] = Field(
        default="6053-200",
        description="what a product answers that can use none of the identities: the code for an invalid namespace, "
        "or that all is done, although it looked for nobody",
    )
    campaign_namespaces: Names = Field(
        default=("email", "phone"),
        description="namespaces that are defined in Campaign; it uses one a request",
    )
    campaign_tenant: str = Field(
        default="acme-stg-us1",
        description="Campaign answers as `campaign-TENANT` where the request's companyContexts name none",
    )
    jobs_per: Literal["action", "product"] = Field(
        default="action",
        description="a user's action is one job, or one for each product (OpenAPI file's prose)",
    )
    daily_job_limit: int = Field(default=20_000, description="jobs per UTC day of the simulated clock", ge=0)
    daily_limit_status: Literal[400, 429] = Field(
        default=400, description="HTTP status beyond the daily limit"
    )
    daily_limit_text: str = Field(
        default="The daily upload limit of jobs has been exceeded.",
        description="the words of that refusal, which Adobe documents nowhere",
    )
    job_ids: Literal["v1", "v4"] = Field(default="v1", description="UUID version of job ids")
    odd_job_id_every: int = Field(
        default=0, description="each n-th job id is no UUID (a `j` in it); 0: none", ge=0
    )

    # Life of a job (simulated seconds)
    processing_delay_seconds: Delay = Field(default=(1, 1), description="from `submitted` to `processing`")
    access_delay_seconds: Delay = Field(
        default=(3, 3), description="until a product answers an access job; `60..1728000` is a range"
    )
    delete_delay_seconds: Delay = Field(default=(3, 3), description="the same for delete jobs")
    jobs_never_finish: bool = Field(
        default=False, description="jobs created while this is on are never answered"
    )
    child_jobs: bool = Field(default=False, description="each created job gets a child job that it waits for")
    child_delay_seconds: Delay = Field(default=(6, 6), description="until a child job is answered")
    check_identity_formats: bool = Field(
        default=False, description="Analytics answers 1000-400 for an AAID or ECID that breaks its format"
    )
    expire_after_days: float = Field(
        default=60, description="an unanswered job is `expired` after so many days", gt=0
    )
    clock_skew_seconds: float = Field(
        default=0, description="how far the service's clock is ahead of the simulator's"
    )
    incoherent_detail: Literal["off", "complete_with_submitted_product", "error_with_download_url"] = Field(
        default="off",
        description="job and product status contradict each other, as in two of Adobe's samples",
    )

    # Detail and content
    detail_retention_days: float = Field(
        default=30, description="days after completion that a detail is readable", ge=0
    )
    content_retention_days: float = Field(
        default=60, description="days after completion that a result is there", ge=0
    )
    content_expired_status: Literal[404, 410] = Field(default=404, description="HTTP status after that")
    content_not_ready_status: Literal[404, 400] = Field(
        default=404, description="HTTP status of content for unfinished, failed and delete jobs"
    )
    download_url_field: Literal["downloadUrl", "downloadURL"] = Field(
        default="downloadUrl", description="its spelling"
    )
    download_url_on_deletes: bool = Field(
        default=False, description="complete delete jobs carry a result too (2019)"
    )
    download_url_host: Literal["api", "blob"] = Field(
        default="api",
        description="`blob`: an unsigned URL on another port, which must not be sent credentials",
    )
    content_type: str = Field(default="application/zip", description="Content-Type of a result")
    content_length: bool = Field(default=True, description="results carry Content-Length; off: chunked")
    result_bytes: int = Field(
        default=0,
        description="about how large a result is, by a filler member; streamed, so GiB are fine",
        ge=0,
    )
    result_compression: Literal["stored", "deflated"] = Field(
        default="stored", description="of that filler member"
    )
    archive_variant: Literal["plain", "empty", "data_descriptors", "zip64"] = Field(
        default="plain",
        description="legitimate forms of the ZIP: as usual, no members, sizes after the data, 64-bit sizes",
    )
    archive_top_folder: bool = Field(
        default=False, description="one folder named by the job around the product folders"
    )

    # Errors
    error_envelope: Literal["nested", "flat"] = Field(
        default="nested", description="service errors inside `errors` or not"
    )


def changed(switches: Switches, patch: dict[str, Any]) -> Switches:
    """A copy with these switches set. Raises pydantic's ValidationError for unknown names and bad values."""
    return Switches.model_validate(switches.model_dump() | patch)
