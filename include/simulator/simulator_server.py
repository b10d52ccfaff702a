"""Sockets, the web application on them, and the edge around it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
import traceback
from email.utils import formatdate
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulator_answers import html_answer
from simulator_api import PrivacyService, add_unknown_routes
from simulator_control import ControlRoutes
from simulator_page import StatusPage
from simulator_playback import TRANSPORT
from simulator_state import Simulation

_HOST = "127.0.0.1"


def listening_socket(port: int, *, further_tries: int = 0) -> socket.socket:
    """A socket on 127.0.0.1 at `port` (0: any free one) or one of the next; OSError if all are taken."""
    for candidate in range(port, min(port + further_tries, 65_535) + 1):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by each connection; without it every small answer waits 40 ms for a delayed acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind((_HOST, candidate))
            listener.listen(2048)
        except OSError:
            listener.close()
        else:
            return listener
    raise OSError(f"no free port from {port} to {port + further_tries}")


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


class Edge:
    """Tells the API's port from the blob host's, and gives faults a way to the connection itself.

    Its log lines hold the method, the route's template and the status: no path, no query string.
    """

    def __init__(self, simulation: Simulation, *, access_log: bool) -> None:
        self._simulation = simulation
        self._access_log = access_log
        service = PrivacyService(simulation)
        self._api = _application(
            service.router(), ControlRoutes(simulation).router(), StatusPage(simulation).router()
        )
        self._blob = _application(service.blob_router())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        # uvicorn's `send` is a method of the request cycle, the only holder of the transport.
        scope[TRANSPORT] = send.__self__.transport  # type: ignore[attr-defined]
        status: list[int] = []

        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
                # The simulated time: a client that goes by its own clock would ask for the wrong days.
                now = formatdate(self._simulation.now(), usegmt=True).encode()
                message["headers"] = [*message["headers"], (b"date", now)]
            await send(message)

        app: ASGIApp = self._blob if scope["server"][1] == self._simulation.blob_port else self._api
        try:
            await app(scope, receive, send_dated)
        except Exception as error:
            # The text of an exception may hold what was sent: its type and place must do.
            place = traceback.extract_tb(error.__traceback__)[-1]
            sys.stderr.write(f"simulator fault: {type(error).__name__} at {place.name}:{place.lineno}\n")
            if not status:
                await html_answer(500)(scope, receive, send_dated)
        if self._access_log:
            route = getattr(scope.get("route"), "path", "-")
            sys.stderr.write(f"{scope['method']} {route} {status[0] if status else 'no answer'}\n")


def _application(*routers: Any) -> FastAPI:
    app = FastAPI(openapi_url=None)
    for router in routers:
        app.include_router(router)
    add_unknown_routes(app)
    return app


def serve(
    simulation: Simulation, listener: socket.socket, *, access_log: bool, until_stdin_closes: bool
) -> None:
    """Serve until interrupted, or until standard input ends where that is asked for."""
    blob_listener = listening_socket(0)
    simulation.blob_port = port_of(blob_listener)
    config = uvicorn.Config(
        Edge(simulation, access_log=access_log),
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    if until_stdin_closes:
        threading.Thread(target=_stop_with_stdin, args=(server,), daemon=True).start()
    print(f"Privacy Service simulator on http://{_HOST}:{port_of(listener)}", flush=True)
    # uvicorn raises the interrupt again after an orderly end.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve(sockets=[listener, blob_listener]))


def _stop_with_stdin(server: uvicorn.Server) -> None:
    while sys.stdin.buffer.read(65_536):
        pass
    server.should_exit = True
