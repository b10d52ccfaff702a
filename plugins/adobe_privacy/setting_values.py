"""How one value of a setting is read, as it comes from a form, from JSON or from the environment.

Each reader raises ValueError, which says what was expected and repeats no value.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adobe_privacy.api.names import include_codes
from adobe_privacy.intake.catalogue import unknown_product
from adobe_privacy.intake.values import request_id_fault
from adobe_privacy.organisations import SECTION, Organisation
from adobe_privacy.regulations.clocks import DEFAULT, Clocks
from adobe_privacy.regulations.codes import REGULATIONS, RegulationError
from adobe_privacy.storage import parse_location

T = TypeVar("T", bound=BaseModel)


# Adobe disables accounts that ask too often.
SHORTEST_POLL_AT_ADOBE = 5.0
LONGEST_RETENTION = 36_500  # days
ADOBE_HOSTS = ("adobe.io", "adobe.com")


class Fields(BaseModel):
    """Fields of a connection's extra, or variables: none is taken that is not known."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
    )


class SettingsError(ValueError):
    """A connection or variable is missing or cannot be used; the text names it, the field and what to do."""


class LookUpFailed(SettingsError):
    """Whether a connection or variable is set is not known: its place did not answer. It may answer later."""


class NotThere(SettingsError):
    """A connection or variable that is needed is not there, or access to it is denied. It may be there later: Airflow's
    API server says so of each that it keeps while its own database is away."""


def not_found(conn_id: str) -> NotThere:
    return NotThere(
        f"connection {conn_id} does not exist, or access to it is denied: see docs/settings.md for its fields"
    )


def uri_of(name: str, uri: str | None, organisation: Organisation) -> str:
    if not uri:
        place = (
            f"the Airflow variable privacy_{name}_uri"
            if organisation.is_default
            else f"[{SECTION}] {organisation.name}_{name}_uri in Airflow's configuration"
        )
        raise NotThere(f"{place} is not set: give a folder, for example file:///path or s3://conn_id@bucket")
    return uri


def check_poll_interval(seconds: float, base_url: str) -> None:
    """Raises SettingsError where Adobe itself would be asked too often."""
    host = urlsplit(base_url).hostname or ""
    at_adobe = any(host == name or host.endswith(f".{name}") for name in ADOBE_HOSTS)
    if at_adobe and seconds < SHORTEST_POLL_AT_ADOBE:
        raise SettingsError(
            f"the Airflow variable privacy_poll_interval must be {SHORTEST_POLL_AT_ADOBE:g} seconds or more at "
            "Adobe's own host"
        )


@dataclass(frozen=True)
class ConnectionFields:
    """A connection as it was found. Airflow's own connections have the same fields. `extra` is its JSON text."""

    conn_id: str
    conn_type: str = ""
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    schema: str | None = None
    extra: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """JSON can hold a number where text is needed. Raises SettingsError."""
        for name in ("host", "login", "password", "schema", "extra"):
            if not isinstance(getattr(self, name), str | None):
                raise SettingsError(f"connection {self.conn_id}: {name} must be text")


def extra_of(connection: ConnectionFields) -> dict[str, Any]:
    """The fields of `extra` that are set. A form stores null for each that was left empty."""
    place = f"connection {connection.conn_id}: extra"
    try:
        extra = _json(connection.extra or "{}") if is_set(connection.extra) else {}
    except ValueError as error:
        raise SettingsError(f"{place} {error}") from None
    if isinstance(extra, str):
        raise SettingsError(f"{place} is encoded as JSON twice: give it once")
    if not isinstance(extra, dict):
        raise SettingsError(f'{place} must be a JSON object like {{"org_id": …}}')
    return {name: value for name, value in extra.items() if is_set(value)}


def checked(
    model: type[T],
    given: Mapping[str, Any],
    place: Callable[[str], str],
    after: str = " ",
    *,
    inner: Mapping[str, list[str]] = MappingProxyType({}),
) -> T:
    """Raises SettingsError, one line about the first problem. `inner` are the names within a field."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise SettingsError(_first_problem(error, model, place, after, inner)) from None


def _first_problem(
    error: ValidationError,
    model: type[BaseModel],
    place: Callable[[str], str],
    after: str,
    inner: Mapping[str, list[str]],
) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    path = ".".join(str(part) for part in problem["loc"])
    what = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if problem["type"] == "extra_forbidden":
        known = inner.get(path.partition(".")[0], [*model.model_fields])
        what = f"is not known; known are {', '.join(sorted(known))}"
    if problem["type"] == "missing":
        what = "is missing"
    top, _, below = path.partition(".")
    return f"{place(top)}{after}{below + ' ' if below else ''}{what}".replace(": :", ":")


def is_set(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and value.strip() in ("", "null"))


def _json(text: str) -> Any:
    """Which of two values of one name is meant is not guessed: one of them may erase, and the other keep."""

    def each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("has a name twice in one object")
        return found

    try:
        return json.loads(text, object_pairs_hook=each_name_once)
    except (json.JSONDecodeError, RecursionError):
        raise ValueError("is not JSON") from None


def unpacked(value: Any) -> Any:
    """JSON that was typed as text into a field is read as JSON."""
    if not isinstance(value, str) or not value.strip().startswith(("[", "{", '"')):
        return value
    read = _json(value)
    if isinstance(read, str):
        raise ValueError("is encoded as JSON twice: give it once")
    return read


def text(value: Any) -> Any:
    """Text of one line. JSON, or JSON within JSON, is a mistake here."""
    if not isinstance(value, str):
        raise ValueError("must be text")
    if value.lstrip().startswith(('"', "[", "{")):
        raise ValueError("must be plain text, not JSON")
    if not value.strip():
        raise ValueError("must not be empty")
    if not value.isprintable():
        raise ValueError("must be text of one line, without control characters")
    return value


def location(value: Any) -> Any:
    found = text(value)
    parse_location(found)
    return found


def names(value: Any) -> Any:
    """A list, a list as JSON text, or text separated by commas."""
    value = unpacked(value)
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(
        isinstance(item, str) and item.isprintable() for item in given
    ):
        raise ValueError('must be a list of names: ["a", "b"], or a, b')
    return tuple(item.strip() for item in given if item.strip())


def products(value: tuple[str, ...]) -> tuple[str, ...]:
    """Include codes, by any name of each product. They decide what is deleted: nothing is guessed."""
    for position, name in enumerate(value):
        if fault := unknown_product(name):
            raise ValueError(f"number {position}: {fault}")
    return include_codes(value)


def public_keys(value: tuple[str, ...]) -> tuple[str, ...]:
    """The ledger and the commands show them as the name of the key: never a secret one."""
    if not all(re.fullmatch(r"age1[a-z0-9]+", each) for each in value):
        raise ValueError("must be age public keys, age1…; secret ones belong into the password")
    return value


def number(value: Any) -> Any:
    # Python counts true as 1.
    if isinstance(value, bool):
        raise ValueError("must be a number")
    if isinstance(value, str) and _GROUPED.fullmatch(value.strip()):
        raise ValueError("must be a number whose digits are not in groups: 1000, not 1.000 or 1_000")
    return value


# What means a thousand to one person is one to a program.
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+|.*_.*")


def whole(value: Any) -> Any:
    """For values inside JSON, where a number has no quotation marks."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    return value


def yes_or_no(value: Any) -> Any:
    text = str(value).strip().lower()
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return text == "true"


def verify(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ValueError("must be true, false or the path of a CA bundle")
    said = text(value).strip()
    return said.lower() == "true" if said.lower() in ("true", "false") else said


def proxy(value: Any) -> Any:
    """An address, or false: then the environment's proxies are not used either."""
    if value is False or (isinstance(value, str) and value.strip().lower() in ("false", "none")):
        return False
    return text(value)


def clocks(value: Any) -> Clocks:
    text = value if isinstance(value, str) else json.dumps(value)
    try:
        if text.strip().startswith(("{", "[", '"')):
            overrides = unpacked(text)
            if not isinstance(overrides, dict):
                raise ValueError('must be a JSON object like {"ccpa": {…}}, or the path of a TOML file')
            return DEFAULT.with_overrides(overrides)
        return Clocks.read(text.strip().removeprefix("file://"))
    except (OSError, tomllib.TOMLDecodeError, RegulationError, ValueError) as error:
        raise ValueError(f"cannot be used: {error}") from None


def clocks_digest(value: str | None) -> str:
    """Tells one set of the organisation's own clocks from another; empty where there is none."""
    if not is_set(value) or value is None:
        return ""
    text = value.strip()
    if not text.startswith("{"):
        text = Path(text.removeprefix("file://")).read_text("utf-8")
    return f"SHA-256 {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def retention(value: Any) -> dict[str, int]:
    expected = ValueError(
        'must be like {"gdpr": 365, "*": 730}: days, 1 to 36500, by regulation code, * for all that are not named'
    )
    given = unpacked(value)
    if not isinstance(given, dict):
        raise expected
    for code, days in given.items():
        if code not in {*REGULATIONS, "*"} or isinstance(days, bool) or not isinstance(days, int):
            raise expected
        if not 1 <= days <= LONGEST_RETENTION:
            raise expected
    days_of: dict[str, int] = dict.fromkeys(REGULATIONS, int(given["*"])) if "*" in given else {}
    return days_of | {code: days for code, days in given.items() if code != "*"}


def notifiers(value: Any) -> Any:
    given = unpacked(value)
    return given if isinstance(given, list) else [given]


def blanks_as_commas(value: Any) -> Any:
    return ",".join(value.split()) if isinstance(value, str) and not value.strip().startswith("[") else value


Text = Annotated[str, BeforeValidator(text)]
Uri = Annotated[str, BeforeValidator(location)]
Names = Annotated[tuple[str, ...], BeforeValidator(names)]
Products = Annotated[tuple[str, ...], BeforeValidator(names), AfterValidator(products)]
Number = Annotated[float, BeforeValidator(number)]
Share = Annotated[float, BeforeValidator(number), Field(ge=0, le=1)]
Count = Annotated[int, BeforeValidator(number), Field(ge=1, le=10**9)]
Cap = Annotated[int, BeforeValidator(whole), Field(ge=0)]
YesOrNo = Annotated[bool, BeforeValidator(yes_or_no)]
JsonText = BeforeValidator(unpacked)
Verify = Annotated[bool | str, BeforeValidator(verify)]
ProxySetting = Annotated[str | Literal[False], BeforeValidator(proxy)]
BlankSeparated = Annotated[tuple[str, ...], BeforeValidator(lambda value: names(blanks_as_commas(value)))]
PublicKeys = Annotated[BlankSeparated, AfterValidator(public_keys)]
LegalClocks = Annotated[Clocks, BeforeValidator(clocks)]
Retention = Annotated[dict[str, int], BeforeValidator(retention)]


def _id_scheme(value: str) -> str:
    if value.count("{number}") != 1:
        raise ValueError("must hold {number} once, such as DSR-{year}-{number}")
    if fault := request_id_fault(value.replace("{year}", "2026").replace("{number}", "000001")):
        raise ValueError(f"makes no request id: {fault}")
    return value


RequestIdScheme = Annotated[str, Field(max_length=60), AfterValidator(_id_scheme)]
