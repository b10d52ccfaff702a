"""A scenario says which job ends how and when: a list of rules, the first that matches wins."""

from __future__ import annotations

import random
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from simulator_catalogue import OUTCOMES, product_code
from simulator_switches import Delay


class Rule(BaseModel):
    """What one product answers to the jobs that match. A field left out matches all or changes nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(default="*", description="glob on the user's key")
    action: Literal["access", "delete"] | None = Field(default=None, description="only this action")
    regulation: str | None = Field(default=None, description="only this regulation")
    product: str | None = Field(default=None, description="only this product, in any spelling")
    attempt: int | None = Field(
        default=None, description="only the n-th job of the same key, action and regulation, from 1"
    )
    code: str | None = Field(
        default=None,
        description="outcome code, and one that ends in -400 makes the job end in error; null: 6000, 6052, 6053 or "
        "6054, by which of the identities the product can use and finds",
    )
    not_found: str | None = Field(
        default=None, description="glob on identity values of which the product has no record"
    )
    delay_seconds: Delay | None = Field(
        default=None, description="simulated seconds until the answer, or a range `a..b`"
    )
    never: bool = Field(default=False, description="the product never answers")
    retry_count: int = Field(default=0, description="`retryCount` of the answer")
    message: str | None = Field(default=None, description="`message` instead of Success or Failure")
    detail: str | None = Field(
        default=None,
        description="`responseMsgDetail` instead of the code's usual text; in it and in `message` stand "
        "`{identities}`, `{IDENTITIES}` (upper case) and `{key}` for those of the job",
    )
    name: str | None = Field(default=None, description="the name under which the product answers")
    ignored: int | None = Field(
        default=None, description="how many of the identities are in `results.ignored`", ge=0
    )
    failed_datasets: tuple[str, ...] = Field(
        default=(), description="dataset ids named as failed by Profile and data lake"
    )
    silent: bool = Field(default=False, description="the answer lacks the product; the job ends without it")
    waited_for: bool = Field(
        default=True,
        description="false: the job ends without the product, which still answers after its delay",
    )
    # What follows is of the whole job: one rule that matches any of its products is enough.
    job_status: Literal["complete", "error"] | None = Field(
        default=None, description="what the whole job ends as, whatever its products say"
    )
    result_in_error: bool = Field(
        default=False, description="an access job that ends in error has a result nevertheless"
    )
    child_code: str | None = Field(
        default=None, description="the job gets a child job, which ends with this outcome code"
    )
    twice: bool = Field(default=False, description="one call makes two such jobs; its answer names both")
    key_echo: Literal["same", "trimmed", "lower_case", "upper_case"] = Field(
        default="same", description="how lists, details and answers repeat the user's key"
    )

    @field_validator("code", "child_code")
    @classmethod
    def _known_code(cls, code: str | None) -> str | None:
        if code is None:
            return None
        code = code.removeprefix("PRVCY-")
        if code not in OUTCOMES:
            raise ValueError(f"unknown outcome code; known are {', '.join(OUTCOMES)}")
        return code

    @field_validator("product")
    @classmethod
    def _known_product(cls, product: str | None) -> str | None:
        if product is None:
            return None
        code = product_code(product)
        if code is None:
            raise ValueError("unknown product")
        return code

    def matches(self, *, key: str | None, action: str, regulation: str, product: str, attempt: int) -> bool:
        return (
            self.action in (None, action)
            and self.regulation in (None, regulation)
            and self.product in (None, product)
            and self.attempt in (None, attempt)
            and fnmatchcase(key or "", self.key)
        )


class Scenario(BaseModel):
    """The content of a scenario file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(default=1, description="of every random choice")
    default_delay_seconds: Delay | None = Field(
        default=None, description="sets access_ and delete_delay_seconds"
    )
    switches: dict[str, Any] = Field(default={}, description="switches to start with")
    rules: tuple[Rule, ...] = Field(default=(), description="the first that matches a job and product wins")

    def starting_switches(self) -> dict[str, Any]:
        delays = {
            "access_delay_seconds": self.default_delay_seconds,
            "delete_delay_seconds": self.default_delay_seconds,
        }
        return (delays if self.default_delay_seconds is not None else {}) | self.switches


DEFAULT_RULE = Rule()


def pick(delay: Delay, *seed: object) -> float:
    """A delay out of a range: the same for the same seed."""
    low, high = delay
    return low if low == high else random.Random(repr(seed)).uniform(low, high)
