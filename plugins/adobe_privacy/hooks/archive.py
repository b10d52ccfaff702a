"""How results are archived, from the Airflow variable `privacy_archive_options` and the connection it names."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from adobe_privacy.archive import AgeKeys, ArchiveSettings, Encryption, KmsKey, Opener, ZipLimits
from adobe_privacy.hooks.adobe_privacy import ConnectionProblem
from adobe_privacy.hooks.storage import open_archive
from adobe_privacy.hooks.variables import NotJson, json_variable
from adobe_privacy.storage import Store

OPTIONS_VARIABLE = "privacy_archive_options"


def archive_settings() -> ArchiveSettings:
    """Raises ConnectionProblem, naming the option, where one is not understood: a misspelt cap is no cap."""
    not_an_object = 'must be a JSON object like {"max_entries": 100000}'
    try:
        options = json_variable(OPTIONS_VARIABLE)
    except NotJson:
        raise _problem(not_an_object) from None
    if options is None:
        return ArchiveSettings()
    if not isinstance(options, dict):
        raise _problem(not_an_object)
    caps = {field.name for field in fields(ZipLimits)}
    for name, value in options.items():
        if name in caps:
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise _problem(f"{name} must be a whole number of 0 or more")
        elif name == "keep_rejected":
            if not isinstance(value, bool):
                raise _problem(f"{name} must be true or false")
        elif name == "key_conn_id":
            if not isinstance(value, str) or not value:
                raise _problem(f"{name} must be a connection id")
        else:
            known = ["keep_rejected", "key_conn_id", *sorted(caps)]
            raise _problem(f"{name} is not known; known are {', '.join(known)}")
    conn_id = options.get("key_conn_id")
    return ArchiveSettings(
        limits=ZipLimits(**{name: value for name, value in options.items() if name in caps}),
        keep_rejected=bool(options.get("keep_rejected")),
        encryption=None if conn_id is None else _encryption(conn_id),
    )


def key_place() -> Store | None:
    """Where data keys lie, if not beside the manifests."""
    encryption = archive_settings().encryption
    return None if encryption is None else encryption.keys


def archive_opener() -> Opener | None:
    """What opens encrypted results, where the connection holds a secret key for it."""
    encryption = archive_settings().encryption
    if encryption is None or not isinstance(encryption.wrapper, AgeKeys) or not encryption.wrapper.can_unwrap:
        return None
    return Opener(encryption.wrapper, encryption.keys)


def _encryption(conn_id: str) -> Encryption:
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        # Without it, results would lie there for everyone to read.
        raise _problem(f"key_conn_id names the connection {conn_id}, which does not exist") from None
    extra = dict(connection.extra_dejson)
    keys_uri = extra.get("keys_uri")
    keys = open_archive(keys_uri) if keys_uri else None
    if kms_key_id := extra.get("kms_key_id"):
        return Encryption(KmsKey(_kms_client(extra.get("aws_conn_id")), kms_key_id), keys)
    recipients = extra.get("recipients") or ()
    if isinstance(recipients, str):
        recipients = recipients.replace(",", " ").split()
    try:
        return Encryption(AgeKeys(tuple(recipients), tuple((connection.password or "").split())), keys)
    except ValueError as error:
        raise ConnectionProblem(f"connection {connection.conn_id}: {error}") from None


def _kms_client(conn_id: str | None) -> Any:
    try:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    except ImportError:
        raise ConnectionProblem(
            "AWS KMS needs the Amazon provider: pip install 'airflow-adobe-privacy[s3]'"
        ) from None
    return AwsGenericHook(aws_conn_id=conn_id, client_type="kms").get_conn()


def _problem(what: str) -> ConnectionProblem:
    return ConnectionProblem(f"the Airflow variable {OPTIONS_VARIABLE}: {what}")
