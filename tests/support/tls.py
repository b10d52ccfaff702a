"""Certificates and servers of a private authority."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from werkzeug.serving import make_server


@dataclass(frozen=True)
class Authority:
    """A private authority's certificate, and that of a server of 127.0.0.1 with its key."""

    ca: Path
    server: Path


def private_authority(folder: Path, *, host: str = "127.0.0.1", valid: timedelta = timedelta(2)) -> Authority:
    folder.mkdir(parents=True, exist_ok=True)
    ca_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = _name("A private authority")
    ca = (
        _builder(ca_name, ca_name, ca_key, timedelta(2))
        .add_extension(x509.BasicConstraints(True, 0), True)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True
        )
        .sign(ca_key, hashes.SHA256())
    )
    server = (
        _builder(_name("A server"), ca_name, server_key, valid)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), False)
        .add_extension(x509.BasicConstraints(False, None), True)
        .sign(ca_key, hashes.SHA256())
    )
    found = Authority(folder / "ca.pem", folder / "server.pem")
    found.ca.write_bytes(ca.public_bytes(Encoding.PEM))
    key = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    found.server.write_bytes(key + server.public_bytes(Encoding.PEM))
    return found


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, valid: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(30))
        .not_valid_after(now + valid)
    )


@contextmanager
def served(application: Any, authority: Authority | None = None) -> Iterator[str]:
    """A WSGI application on a port of this machine, over TLS where there is an authority; gives its address."""
    context = None
    if authority is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.server)
    server = make_server("127.0.0.1", 0, application, threaded=True, ssl_context=context)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{'http' if context is None else 'https'}://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
