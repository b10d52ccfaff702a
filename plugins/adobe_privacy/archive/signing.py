"""Manifests and heads of the history signed with a key of the organisation (Ed25519), so that whoever has a copy of the
archive and the public key can tell that the organisation wrote them.

A signature is the last field of the JSON text, and signs the text without it: the same bytes at any version, and to be
checked with any tool. It does not show that nothing is missing, nor that an older signed text was not put back.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

END = b"\n}\n"
_SIGNATURE = re.compile(rb',\n  "signature": "ed25519:([A-Za-z0-9+/]{86}==)"\n}\n\Z')
_PUBLIC = re.compile(r"-----BEGIN PUBLIC KEY-----(.*?)-----END PUBLIC KEY-----", re.DOTALL)

Sign = Callable[[bytes], bytes]


def unsigned(text: bytes) -> bytes:
    """What an organisation without a key writes."""
    return text


def signer(private_key: str) -> Sign:
    """What adds a signature to a JSON text of ours; the key is PEM, or its base64 alone, without a pass phrase.

    Raises ValueError, without repeating the key.
    """
    try:
        encoded = "".join(re.sub(r"-----.*?-----", "", private_key, flags=re.DOTALL).split())
        key = load_der_private_key(base64.b64decode(encoded, validate=True), None)
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(
            "the password must be an Ed25519 private key, as `openssl genpkey -algorithm ed25519` writes it"
        )

    def sign(text: bytes) -> bytes:
        if not text.endswith(END):
            raise ValueError("only a JSON object of ours can be signed")
        value = base64.b64encode(key.sign(text))
        return text.removesuffix(END) + b',\n  "signature": "ed25519:' + value + b'"' + END

    return sign


def public_keys(text: str) -> tuple[Ed25519PublicKey, ...]:
    """Every public key in a PEM file: the present one, and those that signed before. Raises ValueError."""
    try:
        found = [load_der_public_key(base64.b64decode(block)) for block in _PUBLIC.findall(text)]
    except (ValueError, UnsupportedAlgorithm):
        found = []
    keys = tuple(key for key in found if isinstance(key, Ed25519PublicKey))
    if not found or len(keys) < len(found):
        raise ValueError(
            "expected Ed25519 public keys in PEM, as `openssl pkey -in private.pem -pubout` writes them"
        )
    return keys


def unproven(text: bytes, keys: Sequence[Ed25519PublicKey]) -> str | None:
    """What is wrong with a text's signature; None where one of the keys signed just this text."""
    match = _SIGNATURE.search(text)
    if match is None:
        return "it is not signed"
    signed, value = text[: match.start()] + END, base64.b64decode(match[1])
    # One signature has one spelling: the last character has room for others.
    for key in keys if base64.b64encode(value) == match[1] else ():
        try:
            key.verify(value, signed)
        except InvalidSignature:
            continue
        return None
    return "none of the keys given has signed it as it is"
