"""How results are archived: the key of encrypted results, and what opens them."""

from __future__ import annotations

from typing import Any

from adobe_privacy.archive import AgeKeys, ArchiveSettings, Encryption, KmsKey, Opener
from adobe_privacy.archive.signing import Sign, signer, unsigned
from adobe_privacy.hooks.storage import aws_hook, open_archive
from adobe_privacy.settings import KeySettings, Settings, SettingsError
from adobe_privacy.storage import Store


def archive_settings(settings: Settings) -> ArchiveSettings:
    """Raises SettingsError where the key cannot be used."""
    options = settings.variables.archive_options
    return ArchiveSettings(
        limits=options.limits,
        keep_rejected=options.keep_rejected,
        encryption=_encryption(settings.key),
        sign=signing(settings),
    )


def signing(settings: Settings) -> Sign:
    """What signs manifests and heads. Raises SettingsError where the key cannot be used."""
    if settings.signing_key is None:
        return unsigned
    try:
        return signer(settings.signing_key)
    except ValueError as error:
        conn_id = settings.variables.archive_options.signing_conn_id
        raise SettingsError(f"connection {conn_id}: {error}") from None


def key_place(settings: Settings) -> Store | None:
    """Where data keys lie, if not beside the manifests."""
    key = settings.key
    return open_archive(key.keys_uri) if key is not None and key.keys_uri else None


def archive_opener(settings: Settings) -> Opener | None:
    """What opens encrypted results, where the connection holds a secret key for it."""
    encryption = _encryption(settings.key)
    if encryption is None or not isinstance(encryption.wrapper, AgeKeys) or not encryption.wrapper.can_unwrap:
        return None
    return Opener(encryption.wrapper, encryption.keys)


def _encryption(key: KeySettings | None) -> Encryption | None:
    if key is None:
        return None
    keys = open_archive(key.keys_uri) if key.keys_uri else None
    if key.kms_key_id:
        return Encryption(KmsKey(_kms_client(key.aws_conn_id), key.kms_key_id), keys)
    try:
        return Encryption(AgeKeys(key.recipients, key.identities), keys)
    except ValueError as error:
        raise SettingsError(f"connection {key.conn_id}: {error}") from None


def _kms_client(conn_id: str | None) -> Any:
    try:
        return aws_hook(conn_id, "kms").get_conn()
    except ImportError:
        raise SettingsError(
            "AWS KMS needs the Amazon provider: pip install 'airflow-adobe-privacy[s3]'"
        ) from None
