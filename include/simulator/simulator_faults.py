"""Faults on request: which call goes wrong, how, and how often."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Operation = Literal["token", "list", "create", "detail", "content", "consent"]
OPERATIONS: tuple[Operation, ...] = ("token", "list", "create", "detail", "content", "consent")

# kind -> what happens. Full effect: the call is carried out (jobs are created), only its answer suffers.
ANY_CALL: dict[str, str] = {
    "drop_before": "connection closed without an answer; no effect",
    "drop_after": "full effect (jobs created), then connection closed without an answer",
    "hang_before": "`seconds` pass, then the call is carried out and answered, even if the client has gone",
    "hang_after": "full effect, then `seconds` pass before the answer",
    "error_before": "`status` (500) with `body` after `seconds`; no effect",
    "error_after": "full effect, then `status` (500) with `body` after `seconds` (gateway: 504, 60)",
    "rate_limited": "429 of the gateway with `retry_after`; no effect",
    "token_revoked": "the presented token is void from now on: 401 until a new one is fetched; no effect",
    "spurious_401": "401 as for a bad token, although the token is good; no effect",
    "refusal": "the service's refusal with `status` (400) and `text`; no effect",
    "not_json": "full effect, then the success status with a body that is no JSON",
    "extra_fields": "full effect; unknown fields throughout the answer",
    "missing_fields": "full effect; optional fields are missing throughout the answer",
    "null_arrays": "full effect; arrays inside the answer's rows are null",
    "slow_body": "full effect; the body trickles over `seconds`",
    "closed_early": "full effect; half of the promised body (or `amount` bytes), then closed",
    "reset": "full effect; half of the body (or `amount` bytes), then TCP reset",
    "chunk_broken": "full effect; half of the body (or `amount` bytes) in chunks, then a malformed chunk",
}
ON_CREATE: dict[str, str] = {
    "quota_refusal": "`status` 400 (or 429) as beyond the daily limit, in the words of `text`; no effect",
    "partial_response": "all jobs are created, `amount` (1) of them missing in the answer",
    "delayed_creation": "connection closed at once; the jobs come into being `seconds` later",
}
GONE = {"gone": "404 as for a job that Adobe has forgotten; no effect"}
ON_CONTENT: dict[str, str] = GONE | {
    "cut_body": "a flawless HTTP answer with the first half (or `amount` bytes) of the ZIP",
    "zero_bytes": "200 with an empty body",
    "json_error_200": "200 with an error as JSON",
    "padded_body": "`amount` (1024) bytes of garbage after the ZIP",
    "wrong_crc": "one member's CRC is wrong in both headers",
    "bit_flip": "one bit of one member's data is wrong",
    "zip_slip": "a member `../../outside.txt`",
    "absolute_name": "a member `/tmp/outside.txt`",
    "backslash_name": "a member `..\\..\\outside.txt`",
    "long_name": "a member with a name of `amount` (60,000) characters",
    "symlink": "a member that is a symbolic link",
    "duplicate_member": "two members of the same name",
    "oversize_member": "a member that inflates a thousandfold to `amount` bytes (1 GiB)",
    "understated_size": "a member that inflates to `amount` bytes (64 MiB) and claims 100",
    "many_members": "`amount` (100,000) members",
    "nested_archive": "ZIPs in ZIPs, `amount` (3) deep",
}
ARCHIVE_KINDS = frozenset(ON_CONTENT) - {"gone", "cut_body", "zero_bytes", "json_error_200", "padded_body"}
# Those that leave the call without effect.
WITHOUT_EFFECT = frozenset(
    {
        "drop_before",
        "error_before",
        "rate_limited",
        "token_revoked",
        "spurious_401",
        "refusal",
        "quota_refusal",
        "gone",
    }
)
# `seconds` where a fault does not say how many.
_DEFAULT_SECONDS = {"hang_before": 5.0, "hang_after": 5.0, "slow_body": 5.0, "delayed_creation": 1.0}


class Fault(BaseModel):
    """One fault as `POST /_simulator/faults` takes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: Operation | Literal["any"] = Field(
        description="the call that suffers: token, list, create, detail, content, consent, any"
    )
    kind: str = Field(description="see the tables of kinds")
    times: int | None = Field(default=1, description="how many calls; null: every one until deleted", ge=1)
    after: int = Field(default=0, description="how many matching calls go well first", ge=0)
    key: str = Field(
        default="*",
        description="only calls about a job or user whose key matches this glob (create, detail, content)",
    )
    seconds: float = Field(
        default=0, description="real seconds of kinds that wait (hang_ and slow_: 5, delayed_: 1)", ge=0
    )
    status: int = Field(
        default=0, description="HTTP status of error_ (500), quota_ and refusal (400) kinds", ge=0, le=599
    )
    text: str | None = Field(
        default=None,
        description="the words of refusal and quota_refusal; on create, `{keys}`, `{namespaces}`, `{identities}` and "
        "`{products}` in it stand for those of the call",
    )
    body: Literal["json", "html", "gateway", "empty"] = Field(
        default="json", description="body of error_ kinds"
    )
    retry_after: str | None = Field(
        default="1",
        description="Retry-After of rate_limited: seconds, `date:SECONDS` for an HTTP date, null for none",
    )
    amount: int | None = Field(default=None, description="bytes, members, depth or jobs, by kind", ge=0)

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        kind = data.get("kind")
        return {
            "seconds": _DEFAULT_SECONDS.get(str(kind), 0),
            "status": 400 if kind in ("quota_refusal", "refusal") else 500,
        } | data

    @model_validator(mode="after")
    def _kind_fits_call(self) -> Fault:
        fitting = (
            ANY_CALL
            | (ON_CREATE if self.on == "create" else {})
            | (ON_CONTENT if self.on == "content" else {})
            | (GONE if self.on == "detail" else {})
        )
        if self.kind not in fitting:
            raise ValueError(f"no fault {self.kind!r} on {self.on}; there are {', '.join(fitting)}")
        return self


@dataclass
class _Planned:
    fault: Fault
    number: int
    skipped: int = 0
    played: int = 0


@dataclass
class FaultPlan:
    """The faults that still wait for their call, in the order in which they were asked for."""

    _planned: list[_Planned] = field(default_factory=list)
    _last_number: int = 0

    def add(self, fault: Fault) -> int:
        self._last_number += 1
        self._planned.append(_Planned(fault, self._last_number))
        return self._last_number

    def clear(self) -> None:
        self._planned.clear()

    def take(self, operation: Operation, keys: Callable[[], Iterable[str | None]]) -> Fault | None:
        """The fault that this call suffers: the first in line that is due. `keys` is asked only if needed."""
        for planned in self._planned:
            fault = planned.fault
            if fault.on not in (operation, "any"):
                continue
            if fault.key != "*" and not any(fnmatchcase(key or "", fault.key) for key in keys()):
                continue
            if planned.skipped < fault.after:
                planned.skipped += 1
                continue
            planned.played += 1
            if fault.times is not None and planned.played >= fault.times:
                self._planned.remove(planned)
            return fault
        return None

    def waiting(self) -> list[dict[str, Any]]:
        return [
            {"id": planned.number, "played": planned.played} | planned.fault.model_dump()
            for planned in self._planned
        ]
