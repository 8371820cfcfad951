"""CSV files to the portal in parts of bounded size; the same part again is the same batch, so a repeat is harmless."""

from __future__ import annotations

import gzip
import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from typing import Any, Callable

from agent.ctl_client import Client, RefusedError, UnreachableError
from agent.process_reading import STDIN, Source

PART_BYTES = 4 << 20
MAX_TRIES = 20
_PATIENCE_SECONDS = 120.0


def send_file(
    client: Client, path: str, tell: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> Iterator[Any]:
    """The portal's answer to each part. OSError, DataError, RefusedError, UnreachableError: what was sent stays."""
    source = Source(path)
    dataset = source.dataset().name
    header = source.header()
    for number, part in enumerate(_parts(source.lines()), 1):
        answer = _send(client, dataset, header.rstrip(b"\r\n") + b"\n" + part, sleep)
        name = "standard input" if path == STDIN else path
        count, duplicates = answer.get("records_processed"), answer.get("duplicates")
        tell(f"{name}, part {number}: {count} rows of {dataset} received, {duplicates} of them known before.")
        yield answer


def _parts(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines, and at least one part, so that an empty file gets the portal's own word."""
    part: list[bytes] = []
    size = quotes = 0
    sent = False
    for line in lines:
        part.append(line)
        size += len(line)
        quotes += line.count(b'"')
        if size >= PART_BYTES and quotes % 2 == 0:
            yield b"".join(part)
            part, size, quotes, sent = [], 0, 0, True
    if part or not sent:
        yield b"".join(part)


def _send(client: Client, dataset: str, body: bytes, sleep: Callable[[float], None]) -> Any:
    headers = {
        "Content-Type": "text/csv",
        "Content-Encoding": "gzip",
        "Batch-Id": f"file-{hashlib.sha256(body).hexdigest()[:40]}",
    }
    packed = gzip.compress(body, 6, mtime=0)
    for _ in range(MAX_TRIES):
        try:
            return _post(client, f"performance/upload?dataset={dataset}", headers, packed)
        except RefusedError as error:
            if error.code not in ("RATE_001", "SERVER_002"):
                raise
            sleep(min(error.retry_after or 5.0, _PATIENCE_SECONDS))
    return _post(client, f"performance/upload?dataset={dataset}", headers, packed)


def _post(client: Client, path: str, headers: dict[str, str], body: bytes) -> Any:
    with client.open("POST", path, headers, body) as response:
        content = response.read()
    try:
        return json.loads(content)
    except ValueError:
        raise UnreachableError("The upload was answered, but not by the portal.") from None
