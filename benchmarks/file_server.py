"""A small HTTP server that hands out the files of a folder with sendfile, so that serving costs little CPU.

    python benchmarks/file_server.py FOLDER

prints its port and serves until it is ended.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer


class Handler(StreamRequestHandler):
    """Answers GET on kept-alive connections; reads nothing but the request line."""

    def handle(self) -> None:
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while request := self.rfile.readline():
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            path = Server.folder / request.split()[1].decode().lstrip("/")
            try:
                with path.open("rb") as file:
                    size = path.stat().st_size
                    self.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
                    self.connection.sendfile(file)
            except FileNotFoundError:
                self.connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            except (BrokenPipeError, ConnectionResetError):
                return


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
