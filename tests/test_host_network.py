"""Proxies and certificate authorities of the host: used, or refused by a line that names the variable.

Against real servers: TLS of a private authority, a proxy that counts what it is asked for, stores that lack something.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowFailException
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.wrappers import Request, Response

from adobe_privacy import host_network
from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.config import ClientConfig
from adobe_privacy.api.errors import ConnectionFailed
from adobe_privacy.failures import plain_failures
from adobe_privacy.hooks.storage import aws_hook, s3_options
from adobe_privacy.settings import ConnectionFields, SettingsError, service_settings
from adobe_privacy.storage import (
    InvalidLocation,
    S3Options,
    StorageError,
    StorageUnavailable,
    StoreUnfit,
    open_store,
)
from tests.support.tls import Authority, private_authority, served

VARIABLES = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE"),
)
CANARY = "canary-password"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return private_authority(tmp_path_factory.mktemp("tls"))


class CountingProxy:
    """Lets CONNECT through, and notes for which host and port it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(client,), daemon=True).start()

    def _tunnel(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(65536)
        target = head.split()[1].decode()
        self.asked.append(target)
        host, _, port = target.rpartition(":")
        server = socket.create_connection((host.strip("[]"), int(port)))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        threading.Thread(target=_pass_on, args=(server, client), daemon=True).start()
        _pass_on(client, server)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture
def proxy() -> Iterator[CountingProxy]:
    counting = CountingProxy()
    yield counting
    counting.close()


@contextmanager
def tokens(authority: Authority) -> Iterator[str]:
    """A service that gives tokens, over TLS."""

    def application(environ: Any, start: Any) -> Any:
        body = json.dumps({"access_token": "token", "token_type": "bearer", "expires_in": 3600})
        return Response(body, content_type="application/json")(environ, start)

    with served(application, authority) as url:
        yield url


async def fetch_token(url: str, **settings: Any) -> None:
    config = ClientConfig(
        "client", "secret", "org@AdobeOrg", base_url=url, token_url=url, retry_attempts=1, **settings
    )
    async with PrivacyServiceClient(config) as client:
        await client.fetch_token()


class TestTheService:
    async def test_a_private_authority_is_named_by_the_connection_or_the_environment(
        self, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        with tokens(authority) as url:
            with pytest.raises(ConnectionFailed, match="no trusted TLS connection"):
                await fetch_token(url)
            await fetch_token(url, verify=str(authority.ca))
            await fetch_token(url, verify=False)
            monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
            await fetch_token(url)

    async def test_the_environments_proxy_is_used_but_for_what_is_exempt(
        self, authority: Authority, proxy: CountingProxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with tokens(authority) as url:
            verify = str(authority.ca)
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            await fetch_token(url, verify=verify)
            assert proxy.asked == [url.removeprefix("https://")]
            for exempt in (
                "127.0.0.1",
                "localhost,127.0.0.0/8",
                "[::1], fd07:b51a:cc66:f0::/64,127.0.0.1",
                "*",
            ):
                monkeypatch.setenv("NO_PROXY", exempt)
                await fetch_token(url, verify=verify)
            monkeypatch.delenv("NO_PROXY")
            await fetch_token(url, verify=verify, proxy=False)
            assert len(proxy.asked) == 1
            monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
            await fetch_token(url, verify=verify, proxy=proxy.url)
            assert len(proxy.asked) == 2


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SSL_CERT_FILE", "/gone/ca.pem"),
        ("SSL_CERT_DIR", "/gone"),
        ("HTTPS_PROXY", f"socks5://user:{CANARY}@127.0.0.1:1080"),
        ("ALL_PROXY", "socks5h://127.0.0.1:1080"),
        ("HTTP_PROXY", f"http://user:{CANARY}@proxy.example.com:port"),
        ("HTTPS_PROXY", "ftp://proxy.example.com"),
        ("NO_PROXY", "localhost,fd07:b51a:cc66:f0::/640"),
        ("no_proxy", "localhost,[::1"),
        ("NO_PROXY", "10.0.0.0/8x"),
        ("NO_PROXY", "one.example.com two.example.com"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    named = f"the environment variable {variable}[ :]"
    connection = ConnectionFields(
        "adobe", "adobe_privacy", login="a", password="b", extra='{"org_id": "a@AdobeOrg"}'
    )
    with pytest.raises(SettingsError, match=f"^connection adobe: {named}") as refused:
        service_settings(connection)
    assert CANARY not in str(refused.value)
    for location in ("s3://bucket", "gs://bucket", "abfss://container@account.dfs.core.windows.net"):
        with pytest.raises(InvalidLocation, match=f"^{location}.*: {named}") as refused_store:
            open_store(location)
        assert CANARY not in str(refused_store.value)


def test_a_proxy_or_none_in_the_connection_wins_over_a_variable_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    for said, read in (("false", False), ("none", False), (False, False), ("http://a:1", "http://a:1")):
        extra = json.dumps({"org_id": "a@AdobeOrg", "proxy": said})
        fields = ConnectionFields("adobe", login="a", password="b", extra=extra)
        assert service_settings(fields).client.proxy == read


@pytest.mark.parametrize(
    ("exempt", "address", "direct"),
    [
        ("::1", "https://[::1]:8443/a", True),
        ("[::1]", "https://[::1]:8443/a", True),
        ("[::1]:8443", "https://[::1]:8443/a", True),
        ("[::1]:443", "https://[::1]:8443/a", False),
        ("fd00::/8", "https://[fd07:b51a::1]/", True),
        ("fd00::/8", "https://[fe80::1]/", False),
        ("10.0.0.0/8", "https://10.1.2.3/", True),
        ("10.0.0.0/8", "https://11.1.2.3/", False),
        ("example.com", "https://example.com/", True),
        ("example.com", "https://a.b.example.com/", True),
        ("example.com", "https://notexample.com/", False),
        (".example.com", "https://a.example.com/", True),
        ("*.example.com", "https://A.Example.com/", True),
        ("example.com:8443", "https://example.com/", False),
        ("example.com:443", "https://example.com/", True),
        ("localhost", "https://127.0.0.1/", False),
        ("*", "https://anything.example.com/", True),
        ("", "https://example.com/", False),
    ],
)
def test_what_is_exempt_from_the_proxy(
    exempt: str, address: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", exempt)
    expected = None if direct else "http://proxy.example.com:3128"
    assert host_network.environment_proxies().of(address) == expected


def test_the_proxy_goes_by_the_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://all:1")
    monkeypatch.setenv("https_proxy", "http://small:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://capital:1")
    proxies = host_network.environment_proxies()
    assert proxies.of("https://example.com") == "http://small:1"
    assert proxies.of("http://example.com") == "http://all:1"


@contextmanager
def s3_over_tls(authority: Authority) -> Iterator[str]:
    with served(DomainDispatcherApplication(create_backend_app), authority) as url:
        client = boto3.client(
            "s3",
            endpoint_url=url,
            verify=str(authority.ca),
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        client.create_bucket(Bucket="privacy")
        yield url


def s3(endpoint: str, **extra: Any) -> Connection:
    fields = {"endpoint_url": endpoint, "region_name": "us-east-1", **extra}
    return Connection(
        conn_id="my_s3", conn_type="aws", login="testing", password="testing", extra=json.dumps(fields)
    )


def write_to(endpoint: str, **extra: Any) -> None:
    open_store("s3://privacy/archive", s3_options(s3(endpoint, **extra))).check_writable()


class TestS3:
    def test_a_private_authority_is_named_by_the_connection_or_the_environment(
        self, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        folder = tmp_path / "authorities"
        folder.mkdir()
        (folder / "private.pem").write_bytes(authority.ca.read_bytes())
        with s3_over_tls(authority) as endpoint:
            options = S3Options("testing", "testing", endpoint=endpoint, max_retries=0)
            with pytest.raises(StorageUnavailable, match="an authority that is not trusted; name the auth"):
                open_store("s3://privacy/archive", options).check_writable()
            for verify in (str(authority.ca), str(folder), False, "false", "False"):
                write_to(endpoint, verify=verify)
            write_to(endpoint, service_config={"s3": {"verify": str(authority.ca)}})
            for variable in ("AWS_CA_BUNDLE", "SSL_CERT_FILE"):
                with monkeypatch.context() as environment:
                    environment.setenv(variable, str(authority.ca))
                    write_to(endpoint)

    def test_a_bundle_that_is_not_there_is_named(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        with pytest.raises(SettingsError, match=r"^connection my_s3: extra\.verify: /gone/ca\.pem does not"):
            s3_options(s3("https://127.0.0.1:9", verify="/gone/ca.pem"))
        with pytest.raises(SettingsError, match=r"^connection my_s3: extra\.verify must be true, false or"):
            s3_options(s3("https://127.0.0.1:9", verify=5))
        (tmp_path / "empty.pem").write_text("no certificate")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "empty.pem"))
        with pytest.raises(InvalidLocation, match=r"AWS_CA_BUNDLE: /\S+ holds no readable certificate auth"):
            write_to("https://127.0.0.1:9")

    def test_amazons_own_hook_gets_a_plain_false(self) -> None:
        hook = aws_hook("my_s3", "s3", s3("https://127.0.0.1:9", verify="false"))
        assert hook.conn_config.verify is False

    def test_a_proxy_is_used_or_left_out(
        self, authority: Authority, proxy: CountingProxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with s3_over_tls(authority) as endpoint:
            verify = str(authority.ca)
            write_to(endpoint, verify=verify, proxy=proxy.url)
            write_to(endpoint, verify=verify, config_kwargs={"proxies": {"https": proxy.url}})
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            write_to(endpoint, verify=verify)
            used = len(proxy.asked)
            assert used >= 3
            for exempt in ("127.0.0.1", "127.0.0.0/8", "[::1],127.0.0.1", "*"):
                monkeypatch.setenv("NO_PROXY", exempt)
                write_to(endpoint, verify=verify)
            monkeypatch.delenv("NO_PROXY")
            for said in (False, "false", "none"):
                write_to(endpoint, verify=verify, proxy=said)
            assert len(proxy.asked) == used


def answering(status: int, code: str) -> Any:
    def application(environ: Any, start: Any) -> Any:
        Request(environ).get_data()
        body = f"<Error><Code>{code}</Code></Error>" if code else ""
        return Response(body, status)(environ, start)

    return application


def forgetting_conditions(environ: Any, start: Any) -> Any:
    Request(environ).get_data()
    return Response("", 204 if environ["REQUEST_METHOD"] == "DELETE" else 200, {"ETag": '"1"'})(
        environ, start
    )


@pytest.mark.parametrize(
    ("application", "kind", "words"),
    [
        (answering(301, "PermanentRedirect"), StoreUnfit, "another region; set region_name"),
        (answering(307, "TemporaryRedirect"), StoreUnfit, "another region; set region_name"),
        (answering(400, "AuthorizationHeaderMalformed"), StoreUnfit, "another region; set region_name"),
        (
            answering(501, "NotImplemented"),
            StoreUnfit,
            r"does not refuse to replace an object \(If-None-Match",
        ),
        (answering(501, ""), StoreUnfit, r"does not refuse to replace an object \(If-None-Match"),
        (forgetting_conditions, StoreUnfit, r"does not refuse to replace an object \(If-None-Match"),
    ],
    ids=["301", "307", "400", "501", "501 without a body", "conditions ignored"],
)
def test_a_store_that_will_not_do_is_told_in_words_and_not_tried_again(
    application: Any, kind: type[StorageError], words: str
) -> None:
    with served(application) as url:
        store = open_store("s3://privacy", S3Options("a", "b", endpoint=url, max_retries=0))
        with pytest.raises(kind, match=f"^s3://privacy.*: .*{words}"):
            store.check_writable()
        with pytest.raises(AirflowFailException), plain_failures(logging.getLogger(__name__)):
            store.check_writable()


def test_faults_of_tls_are_told_apart(authority: Authority, tmp_path: Path) -> None:
    expired = private_authority(tmp_path / "expired", valid=timedelta(-1))
    elsewhere = private_authority(tmp_path / "elsewhere", host="127.0.0.2")
    for wrong, words in ((expired, "has expired"), (elsewhere, "is for another host name")):
        with served(answering(200, ""), wrong) as url:
            options = S3Options("a", "b", endpoint=url, verify=str(wrong.ca), max_retries=0)
            with pytest.raises(StorageUnavailable, match=words):
                open_store("s3://privacy", options).check_writable()
    with served(answering(200, "")) as url:
        options = S3Options("a", "b", endpoint=url.replace("http:", "https:"), max_retries=0)
        with pytest.raises(StorageUnavailable, match="does not answer with TLS"):
            open_store("s3://privacy", options).check_writable()
