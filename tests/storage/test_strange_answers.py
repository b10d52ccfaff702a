"""A page of a proxy or gateway in the place of the store's answer says nothing of an object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import obstore
import pytest

from adobe_privacy.storage import (
    AccessDenied,
    AzureOptions,
    ObjectNotFound,
    S3Options,
    StorageUnavailable,
    Store,
    open_store,
)
from tests.storage.servers import GCSServer

PAGE = b"<html><head><title>Maintenance</title></head><body>Back soon</body></html>"
CALLS: dict[str, Callable[[Store], Any]] = {
    "read": lambda store: store.read("a/b"),
    "read with info": lambda store: store.read_with_info("a/b"),
    "chunks": lambda store: list(store.chunks("a/b")),
    "info": lambda store: store.info("a/b"),
    "delete": lambda store: store.delete("a/b"),
}
LISTS: dict[str, Callable[[Store], Any]] = {
    "objects": lambda store: list(store.objects("a")),
    "all objects": lambda store: list(store.objects()),
    "objects directly in": lambda store: store.objects_directly_in("a"),
    "folders": lambda store: store.folders("a"),
}


class Pages(ThreadingHTTPServer):
    """Answers everything with one page."""

    def __init__(self) -> None:
        pages = self
        self.status, self.body = 404, PAGE

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(pages.status)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(pages.body)))
                self.send_header("Last-Modified", "Fri, 20 Nov 2026 12:00:00 GMT")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(pages.body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Handler)

    def store(self, kind: str) -> Store:
        endpoint = f"http://127.0.0.1:{self.server_port}"
        if kind == "s3":
            options = S3Options("testing", "testing", region="us-east-1", endpoint=endpoint, max_retries=1)
            return open_store("s3://bucket/archive", options)
        if kind == "gs":
            return open_store("gs://bucket/archive", GCSServer(endpoint).options)
        account = AzureOptions("account", "YWNjb3VudA==", endpoint=f"{endpoint}/account")
        return open_store("abfss://container/archive", account)


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    server = Pages()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("kind", ["s3", "gs", "abfss"])
@pytest.mark.parametrize("call", [*CALLS, *LISTS])
@pytest.mark.parametrize("body", [PAGE, b""], ids=["page", "nothing"])
def test_a_page_not_found_is_no_object_not_found(pages: Pages, kind: str, call: str, body: bytes) -> None:
    pages.status, pages.body = 404, body
    with pytest.raises(StorageUnavailable):
        (CALLS | LISTS)[call](pages.store(kind))


@pytest.mark.parametrize("kind", ["s3", "gs", "abfss"])
@pytest.mark.parametrize("call", LISTS)
def test_a_page_is_no_empty_list(pages: Pages, kind: str, call: str) -> None:
    pages.status, pages.body = 200, PAGE
    with pytest.raises(StorageUnavailable):
        LISTS[call](pages.store(kind))


@pytest.mark.parametrize("kind", ["s3", "gs", "abfss"])
def test_a_page_deletes_nothing(pages: Pages, kind: str) -> None:
    pages.status, pages.body = 200, PAGE
    with pytest.raises(StorageUnavailable):
        pages.store(kind).delete("a/b")


def test_what_is_there_after_its_deletion_is_not_deleted(
    gcs: GCSServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = gcs.store()
    store.write("a/b", b"identities")
    monkeypatch.setattr(obstore, "delete", lambda *_: None)
    with pytest.raises(StorageUnavailable):
        store.delete("a/b")


def error_of_s3(pages: Pages, status: int, code: str) -> str:
    pages.status = status
    pages.body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    with pytest.raises(StorageUnavailable) as told:
        pages.store("s3").write("a/b", b"")
    return str(told.value)


def test_an_upload_that_the_store_has_forgotten_is_no_missing_bucket(pages: Pages) -> None:
    """Its end was answered with an error, and repeated by the library."""
    assert "no such upload" in error_of_s3(pages, 404, "NoSuchUpload")


def test_a_key_that_was_disabled_is_told(pages: Pages) -> None:
    assert "KMS.DisabledException" in error_of_s3(pages, 400, "KMS.DisabledException")


def test_what_the_store_itself_does_not_find_is_not_there(store: Store) -> None:
    for name in ("read", "read with info", "chunks", "info"):
        with pytest.raises(ObjectNotFound):
            CALLS[name](store)
    CALLS["delete"](store)
    assert [list(call(store)) for call in LISTS.values()] == [[]] * 4


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("code", ["ExpiredToken", "RequestTimeTooSkewed", "TokenRefreshRequired"])
def test_a_session_that_has_ended_and_a_clock_that_is_wrong_may_pass(
    pages: Pages, status: int, code: str
) -> None:
    pages.status, pages.body = status, f"<Error><Code>{code}</Code></Error>".encode()
    with pytest.raises(StorageUnavailable, match=code):
        pages.store("s3").read("a/b")
    pages.status, pages.body = 403, b"<Error><Code>AccessDenied</Code></Error>"
    with pytest.raises(AccessDenied):
        pages.store("s3").read("a/b")
