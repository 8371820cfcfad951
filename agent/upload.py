"""Sending batches: one as a multipart request, and all that wait over one connection."""

from __future__ import annotations

import gzip
import http.client
import logging
import time
from dataclasses import asdict, dataclass
from typing import Any, Callable

from agent import __version__
from agent.answers import Judgement, Verdict, judge
from agent.config import Config
from agent.journal import Batch, CorruptError
from agent.spool import Sealed, Spool
from agent.transport import Connection

_LOG = logging.getLogger("perfagent.upload")
PATH = "/api/v1/performance/upload"


@dataclass
class Outcome:
    """Of one drain. failure: why it stopped early, empty when it did not; code: the portal's, when it had one."""

    sent_batches: int = 0
    sent_samples: int = 0
    sent_rows: int = 0
    refused_batches: int = 0
    refused_samples: int = 0
    split_batches: int = 0
    failure: str = ""
    code: str = ""
    retry_after: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def request(batch: Batch, key: str) -> tuple[dict[str, str], bytes]:
    """Headers and body; the same bytes every time for the same batch."""
    boundary = f"perfagent-{batch.batch_id}"
    body = (
        b"".join(_part(boundary, name, text) for name, text in batch.files().items()) + f"--{boundary}--\r\n".encode()
    )
    headers = {
        "Authorization": f"Bearer {key}",
        "Batch-Id": batch.batch_id,
        "Batch-Rows": str(batch.rows),
        "Content-Length": str(len(body)),
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "User-Agent": f"perfagent/{__version__}",
    }
    return headers, body


def _part(boundary: str, dataset: str, text: str) -> bytes:
    """The field of the dataset system is named `file`, as in an upload by hand."""
    field = "file" if dataset == "system" else dataset
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{dataset}.csv.gz"\r\n'
        "Content-Type: application/gzip\r\n\r\n"
    )
    return head.encode() + gzip.compress(text.encode(), 6, mtime=0) + b"\r\n"


def drain(
    spool: Spool, config: Config, keep_going: Callable[[], bool] = lambda: True, timeout: float = 30.0
) -> Outcome:
    """Sends what waits: the newest batch and any that come meanwhile first, then the backlog from its oldest."""
    outcome = Outcome()
    try:
        connection = Connection(config.url, config.ca_file, timeout)
    except OSError as error:
        outcome.failure = f"the certificate of PERFAGENT_CA_FILE cannot be used: {error}"
        return outcome
    tried: list[str] = []
    try:
        live_from = max((sealed.number for sealed in spool.batches()), default=0)
        while not outcome.failure and keep_going():
            sealed = next_batch(spool.batches(), tried, live_from)
            if sealed is None:
                break
            tried.append(sealed.batch_id)
            _send_one(spool, sealed, connection, config, outcome)
    finally:
        connection.close()
    return outcome


def next_batch(waiting: list[Sealed], tried: list[str], live_from: int) -> Sealed | None:
    untried = [sealed for sealed in waiting if sealed.batch_id not in tried]
    live = [sealed for sealed in untried if sealed.number >= live_from]
    return live[-1] if live else next(iter(untried), None)


def _send_one(spool: Spool, sealed: Sealed, connection: Connection, config: Config, outcome: Outcome) -> None:
    try:
        batch = spool.load(sealed)
    except FileNotFoundError:
        return
    except (CorruptError, OSError) as error:
        spool.set_aside(sealed.path, str(error))
        outcome.refused_batches += 1
        outcome.refused_samples += sealed.samples
        return
    started = time.monotonic()
    judgement = _post(batch, connection, config)
    _LOG.debug("Batch %s: %s in %.2f s", batch.batch_id, judgement.verdict.value, time.monotonic() - started)
    _act(spool, sealed, batch, judgement, outcome)


def _post(batch: Batch, connection: Connection, config: Config) -> Judgement:
    headers, body = request(batch, config.key)
    try:
        answer = connection.post(PATH, headers, body)
    except (OSError, http.client.HTTPException) as error:
        return Judgement(Verdict.KEPT, f"{config.url} could not be reached: {error or type(error).__name__}")
    return judge(answer, batch.batch_id, batch.rows)


def _act(spool: Spool, sealed: Sealed, batch: Batch, judgement: Judgement, outcome: Outcome) -> None:
    if judgement.verdict is Verdict.STORED:
        spool.acknowledge(sealed)
        outcome.sent_batches += 1
        outcome.sent_samples += sealed.samples
        outcome.sent_rows += sealed.rows
    elif judgement.verdict is Verdict.TOO_LARGE and len(batch.records) > 1:
        spool.split(sealed, batch)
        outcome.split_batches += 1
    elif judgement.verdict is Verdict.KEPT:
        outcome.failure, outcome.code = judgement.reason, judgement.code
        outcome.retry_after = judgement.retry_after
    else:
        spool.set_aside(sealed.path, judgement.reason)
        outcome.refused_batches += 1
        outcome.refused_samples += sealed.samples
