"""A small portal that keeps its promises: a ledger of batch ids, and every row it was ever given."""

from __future__ import annotations

import gzip
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Portal:
    """Thread-safe. `intercept` may answer in the portal's place; an answer of None drops the connection."""

    ledger: dict[str, int] = field(default_factory=dict)
    parts: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    known_keys: Callable[[str], bool] = lambda key: True
    rows: list[str] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    connections: int = 0
    intercept: Callable[[str, int], Any] = lambda batch_id, number: "portal"
    guard: threading.Lock = field(default_factory=threading.Lock)

    def vouch(self, key: str) -> Reply | None:
        with self.guard:
            self.asked.append(key)
            away: Reply | str | None = self.intercept("", 0)
        if not isinstance(away, str):
            return away
        return refusal(403, "AUTH_003") if self.known_keys(key) else refusal(401, "AUTH_001")

    def receive(self, headers: dict[str, str], body: bytes) -> Reply | None:
        batch_id = headers["Batch-Id"]
        with self.guard:
            self.requests.append(headers)
            verdict: Reply | str | None = self.intercept(batch_id, len(self.requests))
            if not isinstance(verdict, str):
                return verdict
            reply = self._store(batch_id, headers, body)
            return None if verdict == "lose reply" else reply

    def _store(self, batch_id: str, headers: dict[str, str], body: bytes) -> Reply:
        parts = parse_multipart(headers["Content-Type"], body)
        self.notes.append(fields(headers["Content-Type"], body))
        if batch_id in self.ledger:
            assert self.parts[batch_id] == parts, "the same batch id came with other content"
            return success(200, batch_id, self.ledger[batch_id])
        lines = [line for text in parts.values() for line in text.splitlines()[1:]]
        self.ledger[batch_id] = len(lines)
        self.parts[batch_id] = parts
        self.rows += parts["file"].splitlines()[1:]
        return success(201, batch_id, len(lines))


def parse_multipart(content_type: str, body: bytes) -> dict[str, str]:
    boundary = content_type.partition("boundary=")[2].encode()
    parts = {}
    for piece in body.split(b"--" + boundary)[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        name = re.search(rb'; name="(\w+)"', head)
        assert name is not None
        if b"filename=" in head:
            parts[name.group(1).decode()] = gzip.decompress(content[:-2]).decode()
    return parts


def fields(content_type: str, body: bytes) -> dict[str, Any]:
    """The form fields that are no files, read as JSON."""
    boundary = content_type.partition("boundary=")[2].encode()
    found = {}
    for piece in body.split(b"--" + boundary)[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        name = re.search(rb'; name="(\w+)"', head)
        if name is not None and b"filename=" not in head:
            found[name.group(1).decode()] = json.loads(content)
    return found


def success(http: int, batch_id: str, rows: int) -> Reply:
    content = {"status": "success", "records_processed": rows, "duplicates": 0, "batch_id": batch_id}
    return http, {}, json.dumps(content).encode()


def refusal(http: int, code: str, **headers: str) -> Reply:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return http, fields, json.dumps({"status": "error", "error": "No.", "code": code}).encode()


def page(http: int) -> Reply:
    return http, {"Content-Type": "text/html"}, b"<html><body>from a proxy</body></html>"


class _Handler(BaseHTTPRequestHandler):
    """POST: an upload. GET: the list of machines, which no machine's key may see."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.server.portal.connections += 1  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        portal: Portal = self.server.portal  # type: ignore[attr-defined]
        self._reply(portal.vouch(self.headers["Authorization"].partition(" ")[2]))

    def do_POST(self) -> None:
        assert self.headers["Content-Length"], "an upload must have a length"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) != int(self.headers["Content-Length"]):
            return
        portal: Portal = self.server.portal  # type: ignore[attr-defined]
        reply = portal.receive({**dict(self.headers), "path": self.path}, body)
        self._reply(reply)

    def _reply(self, reply: Reply | None) -> None:
        if reply is None:
            self.close_connection = True
            return
        http, headers, content = reply
        self.send_response(http)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        pass


class Serving:
    """`with Serving(portal) as url:`. One server may serve one portal after another."""

    def __init__(self, portal: Portal, port: int = 0) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self.server.daemon_threads = True
        self.serve(portal)

    def serve(self, portal: Portal) -> Portal:
        self.server.portal = portal  # type: ignore[attr-defined]
        return portal

    @property
    def url(self) -> str:
        return f"http://test.localhost:{self.server.server_address[1]}"

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self.url

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
