"""Writes docs/reference/api.md from the API's description. With `--check` it only says whether it is current."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.made_pages import ROOT, write_or_check

PAGE = ROOT / "docs" / "reference" / "api.md"
HEAD = """# API

The page *Privacy requests* and this API show the same. All calls are below `/privacy/api` of Airflow's address. The
calls of a further organisation are below `/privacy/organisations/NAME/api`. `GET /privacy/api/openapi.json` describes
the calls for programs. This page is made from it, by `python -m scripts.api_page`.

- **Log in** with a token of Airflow's API, in the header `Authorization: Bearer TOKEN`.
  [Hand requests in](../handing-in.md#the-api) has examples in curl and Python.
- **Send** a body as `application/json`, unless a call names another type.
- **Errors** are JSON with `detail`: 400 and 422 for a value that cannot be used, 401 without a login, 403 without the
  permission, 404 for a request that the ledger does not have, 503 if the ledger, the archive or a setting does not
  answer.
- **Permissions** are those of the DAG `privacy_requests`: *read* and *edit*. *Results* means *edit*, and also to read
  the resource `Privacy Results`.
- No identity belongs in an address. Calls that take an identity take it in the body.

## Filters

`GET /jobs`, `/export.csv` and `/export.json` take these parameters. `GET /attention` takes `attention`.

| parameter | leaves |
|---|---|
| `state` | jobs of this [state](../states.md), or `all`; without it, all jobs but the archived and the closed ones |
| `attention` | jobs of this kind of attention, such as `overdue` |
| `regulation`, `action`, `product` | jobs with this code |
| `verdict`, `code` | jobs with this verdict, or this code of Adobe in an answer |
| `request`, `batch` | the jobs of this request, or of this batch |
| `from`, `to` | jobs of these days of the inbox, as `2026-11-20`; both days are included |
| `after` | the next page, as `next` of the page before says |
"""
# By the name of the dependency that guards a call.
PERMISSIONS = {"may_write": "edit", "may_upload": "edit", "may_download": "results"}


def page() -> str:
    from fastapi.routing import APIRoute

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from adobe_privacy.web.app import create_app

        app = create_app()
        described = app.openapi()
    schemas = described["components"]["schemas"]
    guards = {
        (method, route.path): {getattr(each.call, "__name__", "") for each in route.dependant.dependencies}
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    lines = [HEAD]
    for path, calls in described["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method, call in calls.items():
            name = f"{method.upper()} {path.removeprefix('/api')}"
            needs = {PERMISSIONS[each] for each in guards[method.upper(), path] if each in PERMISSIONS}
            lines += _call(name, call, schemas, min(needs, default="read"))
    return "\n".join(lines).rstrip() + "\n"


def _call(name: str, call: Mapping[str, Any], schemas: Mapping[str, Any], needs: str) -> Iterator[str]:
    yield from (f"## {name}", "")
    yield from (_one_line(call["description"]), "")
    yield from (f"Permission: *{needs}*.", "")
    rows = [_parameter(each) for each in call.get("parameters", ())]
    content = call.get("requestBody", {}).get("content", {})
    for kind, body in content.items():
        if name_of := body["schema"].get("$ref"):
            rows += list(_fields(schemas[name_of.rpartition("/")[2]]))
        else:
            yield from (f"Body, `{kind}`: {_one_line(call['requestBody']['description'])}", "")
    if rows:
        yield from ("| | | holds |", "|---|---|---|", *rows, "")
    answers = {code: each["description"] for code, each in call["responses"].items()}
    told = {
        code: text
        for code, text in answers.items()
        if text not in ("Successful Response", "Validation Error")
    }
    if told:
        yield from (
            "| code | means |",
            "|---|---|",
            *(f"| {code} | {text} |" for code, text in told.items()),
            "",
        )


def _parameter(each: Mapping[str, Any]) -> str:
    needed = "" if each["required"] else ", may be absent"
    said = _one_line(each.get("description", ""))
    place = "header" if each["in"] == "header" else "parameter"
    holds = "; ".join(filter(None, (f"{_type(each['schema'])}{needed}", said)))
    return f"| `{each['name']}` | {place} | {holds} |"


def _fields(schema: Mapping[str, Any]) -> Iterator[str]:
    required = schema.get("required", ())
    for name, field in schema["properties"].items():
        needed = "" if name in required else ", may be absent"
        yield f"| `{name}` | body | {_type(field)}{needed} |"


def _type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return "one of " + ", ".join(f"`{each}`" for each in schema["enum"])
    kind = schema.get("format") or schema.get("type", "")
    if kind == "array":
        return f"a list of {_type(schema['items'])}, at most {schema['maxItems']}"
    words = {
        "string": "text",
        "integer": "a number",
        "boolean": "true or false",
        "date": "a day",
        "date-time": "a moment",
    }
    least, most = (
        schema.get("minLength") or schema.get("minimum"),
        schema.get("maxLength") or schema.get("maximum"),
    )
    of = " characters" if kind == "string" else ""
    limits = f", {least} to {most}{of}" if least and most else f", at most {most}{of}" if most else ""
    return f"{words[kind]}{limits}"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
        return write_or_check(PAGE, page(), made_from="the API", by="scripts.api_page")


if __name__ == "__main__":
    sys.exit(main())
