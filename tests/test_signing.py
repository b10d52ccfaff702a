"""Signed manifests and heads: whoever has a copy of the archive checks them with the public key alone."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from adobe_privacy import command_line
from adobe_privacy.archive.signing import public_keys, signer, unproven
from adobe_privacy.hooks.archive import archive_settings
from adobe_privacy.hooks.settings import read_settings
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
)
from adobe_privacy.operators.privacy_retention import (
    ErasePrivacyResultsOperator,
    VerifyPrivacyArchiveOperator,
)
from adobe_privacy.settings import SettingsError
from tests.support.privacy import World, context, long_ago, request

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
TEXT = b'{\n  "a": 1\n}\n'


def private(key: Any, encoding: Encoding = Encoding.PEM) -> bytes:
    return bytes(key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption()))


def public(*keys: Ed25519PrivateKey) -> str:
    form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    return "".join(key.public_key().public_bytes(*form).decode() for key in keys)


def set_key(patch: pytest.MonkeyPatch, password: str) -> None:
    options = {"signing_conn_id": "privacy_signing_key"}
    patch.setenv("AIRFLOW_VAR_PRIVACY_ARCHIVE_OPTIONS", json.dumps(options))
    connection = {"conn_type": "generic", "password": password}
    patch.setenv("AIRFLOW_CONN_PRIVACY_SIGNING_KEY", json.dumps(connection))


@pytest.fixture
def signed(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """One access and one delete request, archived long ago under a key."""
    set_key(monkeypatch, private(KEY).decode())
    with long_ago(world):
        world.put(request(1), request(2, "delete"))
        for batch_id in PlanPrivacyRequestsOperator(task_id="plan").execute(context()):
            CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
            world.simulator.advance(60)
            ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    VerifyPrivacyArchiveOperator(task_id="verify", every_days=1).execute(context())
    return world


@pytest.fixture
def verify(signed: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """An outsider's call: the archive and public keys, nothing else."""

    def verifying(*keys: Ed25519PrivateKey) -> tuple[int, list[str]]:
        path = tmp_path / "public.pem"
        path.write_text(public(*keys))
        capsys.readouterr()
        arguments = ["verify", f"file://{signed.archive}", "--public-key", str(path), "--json"]
        code = command_line.main(arguments)
        return code, sorted(each["problem"] for each in json.loads(capsys.readouterr().out)["findings"])

    return verifying


def manifests(world: World) -> list[Path]:
    return sorted(world.archive.rglob("manifest.json"))


def test_an_outsider_checks_a_copy_with_the_public_key_alone(verify: Callable[..., Any]) -> None:
    assert verify(KEY) == (0, [])
    assert verify(OTHER, KEY) == (0, []), "keys change: one of those given is enough"
    assert verify(OTHER) == (1, ["changed-history", "not-signed", "not-signed"])


def test_a_forged_manifest_is_found(signed: World, verify: Callable[..., Any]) -> None:
    path = manifests(signed)[0]
    text = path.read_bytes()
    for forged in (
        text.replace(b'"status": "complete"', b'"status": "error"'),
        # Whoever has a key of his own, or none.
        signer(private(OTHER).decode())(text[: text.index(b',\n  "signature"')] + b"\n}\n"),
        text[: text.index(b',\n  "signature"')] + b"\n}\n",
    ):
        assert forged != text
        path.write_bytes(forged)
        assert verify(KEY) == (1, ["not-signed"])
    path.write_bytes(text)
    assert verify(KEY) == (0, [])


def test_a_head_that_is_changed_or_taken_out_is_found(signed: World, verify: Callable[..., Any]) -> None:
    [head] = (signed.archive / "seals").rglob("*.json")
    text = head.read_bytes()
    head.write_bytes(text.replace(b'"changes": ', b'"changes": 1'))
    assert verify(KEY) == (1, ["changed-history"])
    head.write_bytes(text)
    signed.put(request(3), name="more.jsonl")
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    VerifyPrivacyArchiveOperator(task_id="verify", every_days=1).execute(context())
    assert verify(KEY) == (0, [])
    head.unlink()
    assert verify(KEY) == (1, ["changed-history"])


def test_a_tombstone_is_signed_anew(
    signed: World, verify: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_RETENTION_DAYS", json.dumps({"gdpr": 30}))
    assert ErasePrivacyResultsOperator(task_id="erase").execute(context())["erased"] == 1
    assert sum("erasure" in path.read_text() for path in manifests(signed)) == 1
    assert verify(KEY) == (0, [])


def test_ledger_and_signature_agree_about_the_same_bytes(
    signed: World, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert command_line.main(["verify", f"file://{signed.archive}", "--ledger", signed.ledger_url]) == 0


def test_any_tool_can_check_a_signature(tmp_path: Path) -> None:
    text = signer(private(KEY).decode())(TEXT)
    body, _, tail = text.partition(b',\n  "signature": "ed25519:')
    (tmp_path / "text").write_bytes(body + b"\n}\n")
    (tmp_path / "signature").write_bytes(base64.b64decode(tail.partition(b'"')[0]))
    (tmp_path / "public.pem").write_text(public(KEY))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin"]
    try:
        version = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout
    except FileNotFoundError:
        version = ""
    if not version.startswith("OpenSSL 3"):
        pytest.skip("there is no OpenSSL 3")
    done = subprocess.run(
        [*command, "-in", "text", "-sigfile", "signature"], cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 0, done.stderr


def test_no_byte_may_change() -> None:
    text = signer(private(KEY).decode())(TEXT)
    keys = public_keys(public(KEY))
    assert unproven(text, keys) is None
    for at in range(len(text)):
        changed = bytearray(text)
        changed[at] ^= 1
        assert unproven(bytes(changed), keys) is not None, at


def test_a_key_is_taken_as_pem_and_as_its_base64_alone() -> None:
    alone = base64.b64encode(private(KEY, Encoding.DER)).decode()
    assert signer(alone)(TEXT) == signer(private(KEY).decode())(TEXT)


@pytest.mark.parametrize("bad", ["", "secret", private(generate_private_key(SECP256R1())).decode()])
def test_what_is_no_key_is_refused_and_not_repeated(
    world: World, bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_key(monkeypatch, bad)
    with pytest.raises(
        SettingsError, match=r"connection privacy_signing_key: .*Ed25519 private key"
    ) as refused:
        archive_settings(read_settings())
    assert not bad or bad not in str(refused.value)
    with pytest.raises(ValueError, match="public keys in PEM"):
        public_keys(bad)
