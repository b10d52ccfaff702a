"""What is sent to the Privacy Service, checked strictly, and what comes back, read leniently.

A request model refuses what the service would refuse, with a `pydantic.ValidationError` whose text names
the field and what was expected but never the value. (Log `str(error)`; `error.errors()` does hold the
values.)

An answer model takes every variant that the service is known to have used and treats null as absent. The
identities in it (`user_ids`, `processed`, `ignored`) are in no repr and no dump: they are for comparing in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from adobe_privacy.api.facts import DATE_SKEW, FIRST_JOBS, MAX_IDENTITIES, MAX_USERS
from adobe_privacy.api.lenient import (
    Code,
    Count,
    JobId,
    Moment,
    Number,
    Readable,
    Status,
    Text,
    Values,
    Word,
    Words,
    as_number,
    as_text,
    failed_datasets,
    objects,
    objects_or_empty,
    of_product,
    with_job_id,
    without_nulls,
)
from adobe_privacy.api.lenient import JobStatus as JobStatus
from adobe_privacy.api.names import REGULATION_CODES, outcome_code, product_code

ORG_NAMESPACE = "imsOrgID"


class Action(StrEnum):
    """What is asked for one user; each action of each user becomes a job of its own."""

    ACCESS = "access"
    DELETE = "delete"


NonEmpty = Annotated[str, StringConstraints(min_length=1)]
IdentityType = Literal[
    "standard", "custom", "integrationCode", "namespaceId", "unregistered", "analytics", "target"
]


class _RequestModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Identity(_RequestModel):
    """One identity of a data subject. The value is left out of the repr."""

    namespace: NonEmpty
    value: NonEmpty = Field(repr=False)
    type: IdentityType = "standard"
    namespace_id: int | None = None
    is_deleted_client_side: bool = False

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {"namespace": self.namespace, "value": self.value, "type": self.type}
        if self.namespace_id is not None:
            wire["namespaceId"] = self.namespace_id
        if self.is_deleted_client_side:
            wire["isDeletedClientSide"] = True
        return wire


class User(_RequestModel):
    """One data subject's part of a request: one job comes of each action. `key` comes back with every job."""

    key: NonEmpty
    actions: tuple[Action, ...] = Field(min_length=1)
    identities: tuple[Identity, ...] = Field(min_length=1, max_length=MAX_IDENTITIES, repr=False)

    @field_validator("actions")
    @classmethod
    def _each_action_once(cls, actions: tuple[Action, ...]) -> tuple[Action, ...]:
        if len(set(actions)) != len(actions):
            raise ValueError("each action may be named once")
        return actions

    def to_wire(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "action": [action.value for action in self.actions],
            "userIDs": [identity.to_wire() for identity in self.identities],
        }


class CompanyContext(_RequestModel):
    """The organisation (`imsOrgID`), or what a product needs to find its account (client code, tenant)."""

    namespace: NonEmpty
    value: NonEmpty

    @classmethod
    def organisation(cls, org_id: str) -> CompanyContext:
        return cls(namespace=ORG_NAMESPACE, value=org_id)


class CreateJobsRequest(_RequestModel):
    """The body of `POST /jobs` (privacy jobs guide, "Create a privacy job").

    The limits are the documented ones, and one of ours: a key names one user of the request only, because
    the jobs come back in any order and are told apart by key and action. A regulation is accepted in its
    current and its retired spelling and sent as it is.
    """

    regulation: str
    users: tuple[User, ...] = Field(min_length=1, max_length=MAX_USERS)
    include: tuple[NonEmpty, ...] = Field(min_length=1)
    company_contexts: tuple[CompanyContext, ...] = Field(min_length=1)
    expand_ids: bool = False
    priority: Literal["normal", "low"] = "normal"
    merge_policy_id: int | str | None = None
    analytics_delete_method: Literal["anonymize", "purge"] | None = None

    @field_validator("regulation")
    @classmethod
    def _known_regulation(cls, regulation: str) -> str:
        if regulation not in REGULATION_CODES:
            raise ValueError(f"expected one of {', '.join(sorted(REGULATION_CODES))}")
        return regulation

    @field_validator("users")
    @classmethod
    def _each_key_once(cls, users: tuple[User, ...]) -> tuple[User, ...]:
        if len({user.key for user in users}) != len(users):
            raise ValueError("each key may belong to one user only")
        return users

    @field_validator("include")
    @classmethod
    def _each_product_once(cls, include: tuple[str, ...]) -> tuple[str, ...]:
        if len({product_code(product) for product in include}) != len(include):
            raise ValueError("each product may be named once, whatever its spelling")
        return include

    @field_validator("company_contexts")
    @classmethod
    def _one_organisation(cls, contexts: tuple[CompanyContext, ...]) -> tuple[CompanyContext, ...]:
        if sum(context.namespace == ORG_NAMESPACE for context in contexts) != 1:
            raise ValueError(f"exactly one context of namespace {ORG_NAMESPACE} is needed")
        return contexts

    @property
    def org_id(self) -> str:
        return next(c.value for c in self.company_contexts if c.namespace == ORG_NAMESPACE)

    def to_wire(self) -> dict[str, Any]:
        wire: dict[str, Any] = {
            "companyContexts": [{"namespace": c.namespace, "value": c.value} for c in self.company_contexts],
            "users": [user.to_wire() for user in self.users],
            "include": list(self.include),
            "expandIds": self.expand_ids,
            "priority": self.priority,
            "regulation": self.regulation,
        }
        if self.merge_policy_id is not None:
            wire["mergePolicyId"] = self.merge_policy_id
        if self.analytics_delete_method is not None:
            wire["analyticsDeleteMethod"] = self.analytics_delete_method
        return wire


class ConsentEntity(_RequestModel):
    """Identities of one standard namespace that opt out. The values are left out of the repr."""

    namespace: NonEmpty
    values: tuple[NonEmpty, ...] = Field(min_length=1, repr=False)

    @field_validator("values")
    @classmethod
    def _each_value_once(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(values)) != len(values):
            raise ValueError("each value may be named once")
        return values


class ConsentRequest(_RequestModel):
    """The body of `POST /consent` (consent guide). What `opt_out_of_sale=False` does is not documented."""

    entities: tuple[ConsentEntity, ...] = Field(min_length=1)
    opt_out_of_sale: bool = True

    def to_wire(self) -> dict[str, Any]:
        return {
            "optOutOfSale": self.opt_out_of_sale,
            # The capital S is the API's.
            "entities": [{"nameSpace": e.namespace, "values": list(e.values)} for e in self.entities],
        }


class _AnswerModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        # Also lets `jobs: null` beside a filled `jobDetails` through to the second spelling.
        return without_nulls(data)


class CreatedJob(_AnswerModel):
    """A job that now exists. Match it by key and action: the order is not that of the request."""

    job_id: JobId = Field(validation_alias="jobId")
    key: Text = Field(None, validation_alias=AliasPath("customer", "user", "key"), repr=False)
    action: Word = Field(None, validation_alias=AliasPath("customer", "user", "action"))


class CreatedJobs(_AnswerModel):
    """The answer to `POST /jobs`. `request_id` is Adobe's, absent in the older form of the answer."""

    request_id: Text = Field(None, validation_alias="requestId")
    jobs: tuple[CreatedJob, ...] = Field(validation_alias=AliasChoices("jobs", "jobDetails"), min_length=1)


class JobSummary(_AnswerModel):
    """A row of the listing. `key` is left out of the repr: other programs may have put an identity there."""

    job_id: JobId = Field(validation_alias="jobId")
    request_id: Text = Field(None, validation_alias="requestId")
    key: Text = Field(None, validation_alias=AliasChoices("userKey", "key"), repr=False)
    action: Word = None
    status: Status = JobStatus.UNKNOWN
    created_at: Moment = Field(None, validation_alias="createdDate")
    last_modified_at: Moment = Field(None, validation_alias="lastModifiedDate")

    def plausible(self, now: datetime) -> Self:
        """The same without the dates that cannot be: by them folders are named and clocks begin. `now` is Adobe's."""
        odd = {
            name: None
            for name in ("created_at", "last_modified_at")
            if (date := getattr(self, name)) is not None and not FIRST_JOBS <= date <= now + DATE_SKEW
        }
        return self.model_copy(update=odd) if odd else self


class UserId(_AnswerModel):
    """One identity of a job as Adobe repeats it."""

    namespace: Text = Field(None, repr=False)
    value: Text = Field(None, repr=False)
    type: Text = None


class ProductResponse(_AnswerModel):
    """How far one product is with a job. `message` and `detail`, Adobe's own words, are left out of the repr: they may
    hold identities, as `processed` and `ignored` do, which name those that the product looked for and left out."""

    name: str = Field("", validation_alias="product")
    status: Status = JobStatus.UNKNOWN
    message_code: Code = Field(None, validation_alias="responseMsgCode")
    message: Words = Field(
        None, repr=False, exclude=True, validation_alias=AliasPath("productStatusResponse", "message")
    )
    detail: Words = Field(
        None,
        repr=False,
        exclude=True,
        validation_alias=AliasPath("productStatusResponse", "responseMsgDetail"),
    )
    retry_count: Number = Field(None, validation_alias="retryCount")
    processed_at: Moment = Field(None, validation_alias="processedDate")
    processed_count: Readable = Field(
        None, validation_alias=AliasPath("productStatusResponse", "results", "processed")
    )
    ignored_count: Count = Field(
        None, validation_alias=AliasPath("productStatusResponse", "results", "ignored")
    )
    processed: Values = Field(
        None,
        repr=False,
        exclude=True,
        validation_alias=AliasPath("productStatusResponse", "results", "processed"),
    )
    ignored: Values = Field(
        None,
        repr=False,
        exclude=True,
        validation_alias=AliasPath("productStatusResponse", "results", "ignored"),
    )

    @field_validator("name", mode="before")
    @classmethod
    def _name_as_text(cls, value: object) -> str:
        return as_text(value) or ""

    @model_validator(mode="before")
    @classmethod
    def _put_together(cls, data: Any) -> Any:
        return without_nulls(of_product(data))

    @property
    def product(self) -> str:
        """The product's one name, see `product_code`."""
        return product_code(self.name)

    @property
    def code(self) -> str | None:
        """The outcome code without its prefix, such as `6054-200`."""
        return outcome_code(self.message_code)

    @property
    def failed_dataset_count(self) -> int:
        """How many datasets the message names as failed (data lake, profile), whatever the code says."""
        return failed_datasets("\n".join(filter(None, (self.detail, self.message))))


class JobDetail(JobSummary):
    """One job with what every product says. `download_url` is not in the repr: older ones need no credential.

    Adobe's samples show a job that is complete while a product is still submitted, and jobs in error with a
    download: derive neither level from the other.
    """

    regulation: Word = None
    products: tuple[ProductResponse, ...] = Field((), validation_alias="productResponses")
    download_url: Text = Field(None, validation_alias=AliasChoices("downloadUrl", "downloadURL"), repr=False)
    child_jobs: tuple[JobDetail, ...] = Field((), validation_alias="childJobs")
    user_ids: tuple[UserId, ...] = Field((), validation_alias="userIds", repr=False, exclude=True)

    _those_that_are_objects = field_validator("user_ids", mode="before")(objects)
    _each_answer_counts = field_validator("products", mode="before")(objects_or_empty)

    @field_validator("child_jobs", mode="before")
    @classmethod
    def _children(cls, value: object) -> object:
        """One without an id counts as well, and one of which nothing can be read: what became of it is the question."""
        if isinstance(value, tuple):
            return value
        found = map(without_nulls, value if isinstance(value, list) else [value])
        told = [child if isinstance(child, Mapping) else {} for child in found if child]
        return [{"jobId": "unnamed", **child} for child in told]


class ListPage(_AnswerModel):
    """A page of the listing. `total_records` counts the page or everything: versions differ.

    A row without a usable job id can't be followed up: it is left out and counted in `unusable_rows`; whose it is, its
    user key may say, one of `keys_without_id`. An answer with
    neither `jobDetails` nor `jobs` is refused, because an empty page must never be a guess.
    """

    jobs: tuple[JobSummary, ...] = Field(validation_alias=AliasChoices("jobDetails", "jobs"))
    total_records: Number = Field(None, validation_alias="totalRecords")
    unusable_rows: int = 0
    keys_without_id: tuple[str, ...] = Field((), repr=False)

    @model_validator(mode="before")
    @classmethod
    def _usable_rows(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValueError("expected an object")
        if not {"jobDetails", "jobs"} & data.keys() and as_number(data.get("totalRecords")) != 0:
            raise ValueError("expected jobDetails")
        given = [data[name] for name in ("jobDetails", "jobs") if data.get(name) is not None]
        rows: object = next((each for each in given if each != []), [])
        if not isinstance(rows, list):
            raise ValueError("expected a list of jobs")
        usable = with_job_id(rows)
        others = [] if len(usable) == len(rows) else [row for row in rows if not with_job_id([row])]
        keys = [
            as_text(row.get(name))
            for row in others
            if isinstance(row, Mapping)
            for name in ("userKey", "key")
        ]
        return {
            "jobs": usable,
            "totalRecords": data.get("totalRecords"),
            "unusable_rows": len(rows) - len(usable),
            "keys_without_id": tuple(filter(None, keys)),
        }
