"""What one product will say of one job: by its rule, else by the identities that the product can use and finds."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from simulator_identities import usable_identities
from simulator_jobs import NEVER, ProductAnswer
from simulator_scenario import Rule, pick
from simulator_switches import Switches

# How many identities a code given by a rule leaves out where the rule does not say; None: all.
_LEFT_OUT = {"6000-200": 0, "6054-200": 1}


def product_answer(
    product: str,
    rule: Rule,
    *,
    action: str,
    created_at: float,
    processing_at: float,
    identities: list[dict[str, Any]],
    tenant: str | None,
    seed: tuple[object, ...],
    switches: Switches,
) -> ProductAnswer:
    """The whole future of one product in one job. `tenant` is the request's Campaign context."""
    usual = switches.access_delay_seconds if action == "access" else switches.delete_delay_seconds
    delay = pick(rule.delay_seconds or usual, seed, product)
    answer = ProductAnswer(
        product=product,
        answered_at=max(processing_at, created_at + delay),
        retry_count=rule.retry_count,
        message=rule.message,
        detail=rule.detail,
        name=rule.name or _name(product, tenant, switches),
        failed_datasets=rule.failed_datasets,
        silent=rule.silent,
        waited_for=rule.waited_for,
    )
    answer.code, answer.processed, answer.ignored = outcome(product, identities, rule, switches)
    answer.shows_results = (
        product == "audienceManager" or answer.code in ("6052-200", "6054-200") or rule.ignored is not None
    )
    if product in switches.unprovisioned_products:
        answer.code = "6051-200"
    elif (
        switches.check_identity_formats and product == "analytics" and not all(map(_well_formed, identities))
    ):
        answer.code, answer.detail = "1000-400", "Value not formatted correctly."
    if rule.never or switches.jobs_never_finish:
        answer.answered_at = NEVER
    elif product == "cjm" and action == "delete":
        answer.answered_at, answer.delay_after_upstream = NEVER, delay
    return answer


def outcome(
    product: str, identities: list[dict[str, Any]], rule: Rule, switches: Switches
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The code, and the values by which the person was found and was not."""
    usable = usable_identities(product, identities, switches)
    found = [identity for identity in usable if not _is_unknown(identity, rule)]
    code = rule.code or _code(len(identities), len(usable), len(found), switches)
    values = tuple(str(identity.get("value")) for identity in identities)
    if rule.ignored is None and rule.code is None:
        kept = [any(identity is each for each in found) for identity in identities]
    else:
        usual = _LEFT_OUT.get(code, len(values))
        left_out = usual if rule.ignored is None else rule.ignored
        kept = [number < len(values) - left_out for number in range(len(values))]
    processed = tuple(value for value, keep in zip(values, kept, strict=True) if keep)
    return code, processed, tuple(value for value, keep in zip(values, kept, strict=True) if not keep)


def _code(given: int, usable: int, found: int, switches: Switches) -> str:
    if not usable:
        return switches.unusable_identities
    if not found:
        return "6052-200"
    return "6000-200" if found == given else "6054-200"


def _is_unknown(identity: dict[str, Any], rule: Rule) -> bool:
    return rule.not_found is not None and fnmatchcase(str(identity.get("value")), rule.not_found)


def _name(product: str, tenant: str | None, switches: Switches) -> str | None:
    if product != "campaign":
        return None
    tenant = tenant or switches.campaign_tenant
    return f"campaign-{tenant}" if tenant else None


def _well_formed(identity: dict[str, Any]) -> bool:
    namespace, value = str(identity.get("namespace", "")).lower(), str(identity.get("value", ""))
    if namespace == "ecid":
        return len(value) == 38 and value.isdigit()
    if namespace == "aaid":
        return (
            all(
                part and not part.startswith("0") and set(part) <= set("0123456789ABCDEF")
                for part in value.split("-")
            )
            and value.count("-") == 1
        )
    return True
