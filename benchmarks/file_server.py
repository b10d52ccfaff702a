"""A small server in Adobe's place: tokens, job details and results, with sendfile, so that serving costs little CPU.

    python benchmarks/file_server.py FOLDER

prints its port and serves until it is ended. The result of job `x` is the file FOLDER/x.zip, at `/x.zip`.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer


class Handler(StreamRequestHandler):
    """Answers on kept-alive connections; reads nothing but the request line and the body's length."""

    def handle(self) -> None:
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while request := self.rfile.readline():
            length = 0
            while (header := self.rfile.readline()) not in (b"\r\n", b""):
                if header.lower().startswith(b"content-length:"):
                    length = int(header.partition(b":")[2])
            self.rfile.read(length)
            try:
                self._answer(request.split()[1].decode())
            except (BrokenPipeError, ConnectionResetError):
                return

    def _answer(self, path: str) -> None:
        if path == "/token":
            self._json({"access_token": "token", "token_type": "bearer", "expires_in": 86399})
        elif path.startswith("/jobs/"):
            job_id = path.removeprefix("/jobs/")
            host, port = self.connection.getsockname()
            self._json(
                {
                    "jobId": job_id,
                    "action": "access",
                    "status": "complete",
                    "lastModifiedDate": "11/20/2026 9:30 AM GMT",
                    "downloadUrl": f"http://{host}:{port}/{job_id}.zip",
                    "productResponses": [],
                }
            )
        elif (file := Server.folder / path.lstrip("/")).is_file():
            with file.open("rb") as body:
                self._head("200 OK", file.stat().st_size)
                self.connection.sendfile(body)
        else:
            self._head("404 Not Found", 0)

    def _json(self, content: object) -> None:
        body = json.dumps(content).encode()
        self._head("200 OK", len(body), body)

    def _head(self, status: str, length: int, body: bytes = b"") -> None:
        self.connection.sendall(
            b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status.encode(), length) + body
        )


class Server(ThreadingTCPServer):
    """One thread for every connection."""

    folder: Path
    daemon_threads = True
    request_queue_size = 256


if __name__ == "__main__":
    Server.folder = Path(sys.argv[1])
    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
