"""What Adobe's own programs write: the body of `POST /jobs`, and identities from the browser library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adobe_privacy.intake.catalogue import STANDARD_NAMESPACES, identity_type, perhaps, standard_namespace
from adobe_privacy.intake.readers.text import Found

BODY_FIELDS = {
    "regulation": "regulation",
    "include": "products",
    "companyContexts": "company_contexts",
    "expandIds": "expand_ids",
    "expandIDs": "expand_ids",
    "priority": "priority",
    "mergePolicyId": "merge_policy_id",
    "analyticsDeleteMethod": "analytics_delete_method",
}
# Adobe refuses such a body. The connection's products are those of a body that says nothing of any.
NO_PRODUCT = "include: names no product; name those that are meant, or leave include out for the connection's"
NO_USERS = "users: must be a list of one user or more"
USER_FIELDS = {"key": "request_id", "action": "actions", "userIDs": "identities", "userIds": "identities"}
# They describe an identity and mean nothing to the Privacy Service.
_DESCRIPTIONS = ("company", "name", "description")


def is_body(value: object) -> bool:
    return isinstance(value, dict) and "users" in value and "request_id" not in value


def body_fields(body: dict[str, Any]) -> dict[str, Any] | str:
    """The fields that all users of a body have, as those of an inbox line, or why the body cannot be read."""
    fields: dict[str, Any] = {}
    for name, value in body.items():
        if name == "include" and value == []:
            return f"{NO_PRODUCT}; no user was read"
        if name in BODY_FIELDS:
            if BODY_FIELDS[name] in fields:
                return f"{name}: is there twice, in two spellings; no user was read"
            fields[BODY_FIELDS[name]] = value
        elif name != "users":
            known = ["users", *BODY_FIELDS]
            return f"a field that is not one of {', '.join(known)}{perhaps(name, known)}; no user was read"
    return fields


def user_request(number: int, index: int, user: object, common: dict[str, Any]) -> Found:
    """One user of a body as a request."""
    place = f"user {index}"
    if not isinstance(user, dict):
        return Found(number, None, "not a JSON object", place)
    fields = dict(common)
    for name, value in user.items():
        if name not in USER_FIELDS:
            known = ["key", "action", "userIDs"]
            reason = f"a field that is not one of {', '.join(known)}{perhaps(name, known)}"
            return Found(number, None, reason, place)
        if USER_FIELDS[name] in fields:
            return Found(number, None, f"{name}: is there twice, in two spellings", place)
        fields[USER_FIELDS[name]] = value
    return Found(number, plain_identities(fields), place=place)


def users_of(number: int, body: dict[str, Any]) -> Iterator[Found]:
    """The users of a body that is whole."""
    common = body_fields(body)
    users = body["users"]
    if isinstance(common, str) or not isinstance(users, list) or not users:
        yield Found(number, None, common if isinstance(common, str) else NO_USERS)
        return
    for index, user in enumerate(users, 1):
        yield user_request(number, index, user, common)


def plain_identities(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with identities as an inbox line has them, where they are Adobe's browser library's."""
    identities = fields.get("identities")
    if isinstance(identities, list) and any(
        isinstance(each, dict) and _described(each) for each in identities
    ):
        fields["identities"] = [_plain(each) if isinstance(each, dict) else each for each in identities]
    return fields


def _described(identity: dict[str, Any]) -> bool:
    return len(identity) > 3 or "namespaceId" in identity


def _plain(identity: dict[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in identity.items() if name not in _DESCRIPTIONS}
    number = plain.get("namespaceId")
    if isinstance(number, bool) or not isinstance(number, int | str):
        return plain
    by_number = standard_namespace(str(number), "namespaceId")
    namespace, type_ = plain.get("namespace"), plain.get("type", "standard")
    if isinstance(type_, str):
        type_ = identity_type(type_) or type_
    if namespace is None and type_ in ("standard", "namespaceId"):
        del plain["namespaceId"]
        return plain | {"namespace": str(number), "type": "namespaceId"}
    if not isinstance(namespace, str) or not isinstance(type_, str):
        return plain
    if type_ == "namespaceId":
        named = standard_namespace(namespace)
        # Adobe documents no number of some; it is then none of another's.
        unnumbered = named is not None and STANDARD_NAMESPACES[named] is None and by_number is None
        fits = not named or named == by_number or unnumbered
        if namespace == str(number) or (fits and not namespace.isdigit()):
            del plain["namespaceId"]
            plain["namespace"] = str(number)
    elif type_ != "standard" or standard_namespace(namespace) == by_number:
        del plain["namespaceId"]
    elif by_number and standard_namespace(namespace) is None:  # the library's name: AMO, 411
        del plain["namespaceId"]
        plain["namespace"] = by_number
    return plain  # where the number contradicts the name, it stays and is refused
