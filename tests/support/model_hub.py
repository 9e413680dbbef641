"""A model hub on the loopback that serves one model, and notes what was asked of it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c" * 40


@dataclass
class Hub:
    """``commit`` is what main stands for now; models other than ``name`` do not exist. ``told`` are sizes that it
    tells in place of the true ones."""

    files: Mapping[str, bytes]
    name: str = "some/model"
    commit: str = COMMIT
    address: str = ""
    asked: list[str] = field(default_factory=list)
    told: Mapping[str, int] = field(default_factory=dict)

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path."""
        file = path.partition("?")[0].rsplit("/", 1)[-1]
        if f"/{self.name}/" not in path:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if "/resolve/" in path and file in self.files:
            body = self.files[file]
            return 200, {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "X-Repo-Commit": self.commit}, body
        if "/tree/" in path:
            entries = [
                {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}
                for name, body in self.files.items()
            ]
            return 200, {"Content-Type": "application/json"}, json.dumps(entries).encode()
        if "/revision/" in path and file in ("main", self.commit):
            siblings = [{"rfilename": name, "size": self.told.get(name, len(b))} for name, b in self.files.items()]
            told = {"id": self.name, "sha": self.commit, "siblings": siblings}
            return 200, {"Content-Type": "application/json"}, json.dumps(told).encode()
        return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """``hub`` on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Silent."""

        def do_HEAD(self) -> None:  # the library's name
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:  # the library's name
            hub.asked.append(self.path)
            self.do_HEAD()
            self.wfile.write(hub.answer(self.path)[2])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
