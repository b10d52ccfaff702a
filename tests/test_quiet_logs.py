from __future__ import annotations

import logging

import httpx
import pytest

from adobe_privacy import quiet_logs
from tests.api.raw_server import http, raw_server
from tests.api.test_client_on_the_wire import answering


async def test_other_users_of_httpx_in_the_process_keep_their_logs(caplog: pytest.LogCaptureFixture) -> None:
    quiet_logs.install(*quiet_logs.HTTP)
    caplog.set_level(logging.DEBUG)
    # Airflow, where another test has imported it, quiets this one by its level.
    caplog.set_level(logging.DEBUG, logger="httpx")
    async with raw_server(answering(http(200))) as server, httpx.AsyncClient(trust_env=False) as other:
        await other.get(f"{server.url}/loud")
        assert "/loud" in caplog.text
        assert "receive_response_headers" in caplog.text
        caplog.clear()
        with quiet_logs.quiet():
            await other.get(f"{server.url}/hushed")
        assert [record.name for record in caplog.records if record.name.startswith("http")] == []
        await other.get(f"{server.url}/loud-again")
        assert "/loud-again" in caplog.text


def test_every_logger_of_the_two_libraries_is_known() -> None:
    import httpcore  # noqa: F401

    names = {
        name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("httpx", "httpcore", "h11")
    }
    assert names <= set(quiet_logs._LOGGERS)
