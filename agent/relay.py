"""`relay`: takes uploads where agents cannot reach the portal, and forwards each with its machine's own key."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agent import __version__
from agent.bodies import count_rows
from agent.config import Config, listen_address
from agent.forward import Forwarder
from agent.keys import KeyRing, Standing, asking
from agent.relay_spool import FullError, RelaySpool, Upload
from agent.spool import lock_folder

_LOG = logging.getLogger("perfagent.relay")
PATHS = frozenset(("/v1/upload", "/api/v1/performance/upload", "/api/v1/upload"))
_FORWARDED = ("Authorization", "Batch-Rows", "Content-Type", "Content-Encoding", "User-Agent")
_AUTHORIZATION = re.compile(r"Bearer ([!-~]{8,512})")
_NOWHERE = "There is nothing here; the relay answers /v1/upload and /health."
_MAX_CONNECTIONS = 64
_TIMEOUT_SECONDS = 30.0
_SWALLOW_SECONDS = 1.0
_BATCH_ID = re.compile(r"[0-9A-Za-z_.-]{1,64}")


class RefusalError(Exception):
    """An answer that is no success."""

    def __init__(self, http: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.http, self.code, self.sentence = http, code, sentence


def build(config: Config) -> Server:
    """A relay that listens, but neither answers nor forwards yet."""
    root = f"{config.spool_dir}/relay"
    spool = RelaySpool(root, int(config.relay_spool_max_mb * 1_048_576))
    spool.open()
    keys = KeyRing(f"{root}/keys.json", config.relay_key_hours * 3600, asking(config))
    return Server(config, spool, Forwarder(spool, config, keys), keys)


def serve(config: Config) -> None:
    """Until SIGTERM or SIGINT. SpoolError when another process has the spool."""
    lock = lock_folder(f"{config.spool_dir}/relay")
    server = build(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    server.forwarder.start()
    _LOG.info("Relay on %s:%d to %s", *server.server_address[:2], config.url)
    try:
        server.serve_forever()
    finally:
        server.server_close()
        server.forwarder.stop()
        os.close(lock)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, config: Config, spool: RelaySpool, forwarder: Forwarder, keys: KeyRing) -> None:
        self.spool = spool
        self.keys = keys
        self.started = time.time()
        self.forwarder = forwarder
        self.max_body = int(config.relay_max_body_mb * 1_048_576)
        self.counters = {"accepted": 0, "refused": 0}
        self._free = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        address = listen_address(config)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Beyond the bound, a connection is closed at once: its agent keeps the batch and comes again."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def health(self) -> dict[str, Any]:
        """`ok` also while the portal is away: the relay does its work."""
        batches, size = self.spool.usage()
        return {
            "status": "ok",
            "version": __version__,
            "uptime_seconds": round(time.time() - self.started),
            "waiting_batches": batches,
            "waiting_bytes": size,
            "known_keys": len(self.keys),
            "last_forwarded": self.forwarder.last_forwarded or None,
            "last_failure": self.forwarder.last_failure,
            **self.counters,
            **self.forwarder.counters,
        }

    def handle_error(self, request: Any, client_address: Any) -> None:
        _LOG.info("A connection broke off")


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = f"perfagent-relay/{__version__}"
    sys_version = ""
    timeout = _TIMEOUT_SECONDS

    def do_GET(self) -> None:
        if self.path != "/health":
            self._refuse(RefusalError(404, "RELAY_001", _NOWHERE))
            return
        self._answer(200, self.server.health())

    def do_POST(self) -> None:
        try:
            upload = self._receive()
            self._store(upload)
        except RefusalError as refusal:
            self.server.counters["refused"] += 1
            self._refuse(refusal)
            return
        self.server.counters["accepted"] += 1
        self.server.forwarder.wake()
        content = {"status": "accepted", "batch_id": upload.batch_id, "records_processed": upload.rows}
        self._answer(202, content)

    def _receive(self) -> Upload:
        if self.path.partition("?")[0] not in PATHS:
            raise RefusalError(404, "RELAY_001", _NOWHERE)
        body = self._body()
        self._authenticate()
        headers = {name: self.headers[name] for name in _FORWARDED if name in self.headers}
        batch_id = self.headers.get("Batch-Id") or _derived_id(headers, body)
        if not _BATCH_ID.fullmatch(batch_id):
            raise RefusalError(
                400, "RELAY_002", "The header Batch-Id must be up to 64 letters, digits, `_`, `.` and `-`."
            )
        headers["Batch-Id"] = batch_id
        if not re.fullmatch(r"[0-9]{1,9}", headers.get("Batch-Rows", "")):
            headers.pop("Batch-Rows", None)
        rows = int(headers["Batch-Rows"]) if "Batch-Rows" in headers else count_rows(headers, body)
        return Upload(batch_id, rows, headers, body)

    def _authenticate(self) -> None:
        """A key that the portal has not vouched for fills no spool."""
        match = _AUTHORIZATION.fullmatch(self.headers.get("Authorization", ""))
        if match is None:
            raise RefusalError(401, "AUTH_002", "The header Authorization must be `Bearer` and the machine's key.")
        standing = self.server.keys.standing(match.group(1))
        if standing is Standing.REFUSED:
            raise RefusalError(401, "AUTH_001", "The portal does not know this key.")
        if standing is Standing.UNCERTAIN:
            raise RefusalError(503, "RELAY_007", "The portal cannot be asked about this key; send it again later.")

    def _body(self) -> bytes:
        """The whole body; a request without a length is refused, never taken for an empty one."""
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not re.fullmatch(r"[0-9]{1,15}", length):
            raise RefusalError(411, "RELAY_003", "The request must have a Content-Length.")
        if int(length) > self.server.max_body:
            raise RefusalError(413, "UPLOAD_004", f"The body is larger than {self.server.max_body} bytes.")
        body = self.rfile.read(int(length))
        if len(body) != int(length) or not body:
            raise RefusalError(400, "RELAY_004", "The body is empty or shorter than its Content-Length.")
        return body

    def _store(self, upload: Upload) -> None:
        try:
            self.server.spool.store(upload)
        except FullError:
            raise RefusalError(503, "RELAY_005", "The relay's spool is full; send it again later.") from None
        except OSError as error:
            _LOG.error("A batch cannot be stored: %s", error)
            raise RefusalError(503, "RELAY_006", "The relay cannot write its spool; send it again later.") from None

    def _refuse(self, refusal: RefusalError) -> None:
        self.close_connection = True
        content = {"status": "error", "error": refusal.sentence, "code": refusal.code}
        self._answer(refusal.http, content)
        self._swallow()

    def _swallow(self) -> None:
        """What still comes, for a moment: to close on unread data is a reset, and that can overtake the answer."""
        try:
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_SWALLOW_SECONDS)
            deadline = time.monotonic() + _SWALLOW_SECONDS
            while time.monotonic() < deadline and self.connection.recv(65_536):
                pass
        except OSError:
            return

    def _answer(self, http: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(http)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if http == 503:
            self.send_header("Retry-After", "30")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        _LOG.debug(format, *arguments)


def _derived_id(headers: dict[str, str], body: bytes) -> str:
    """For a client without batch ids: the same request again gets the same id."""
    return hashlib.sha256(headers["Authorization"].encode() + b"\0" + body).hexdigest()[:32]
