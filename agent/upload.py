"""Sending batches: one as a multipart request, and all that wait over one connection."""

from __future__ import annotations

import gzip
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Callable

from agent import __version__
from agent.answers import Judgement, Verdict, judge
from agent.config import Config
from agent.journal import Batch, CorruptError
from agent.spool import Sealed, Spool
from agent.transport import Connection

_LOG = logging.getLogger("perfagent.upload")
BUG_CODE = "SERVER_001"
MAX_PASSED_OVER = 3
PATH = "/api/v1/performance/upload"


@dataclass
class Outcome:
    """Of one drain. noted: the notes went with a batch that was stored.

    failure: why something was kept, empty when nothing was. stopped: and the rest was not tried. code: the portal's, if
    it had one.
    """

    sent_batches: int = 0
    sent_samples: int = 0
    sent_rows: int = 0
    refused_batches: int = 0
    refused_samples: int = 0
    split_batches: int = 0
    noted: bool = False
    failure: str = ""
    stopped: bool = False
    passed_over: int = 0
    code: str = ""
    retry_after: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


Notes = Mapping[str, str]
"""What an upload tells beside its samples: form fields with JSON text (`inventory`, `events`)."""


def request(batch: Batch, key: str, notes: Notes = MappingProxyType({})) -> tuple[dict[str, str], bytes]:
    """Headers and body; the files are the same bytes every time for the same batch."""
    boundary = f"perfagent-{batch.batch_id}"
    fields = [_field(boundary, name, text) for name, text in notes.items()]
    parts = [_part(boundary, name, text) for name, text in batch.files().items()]
    body = b"".join([*fields, *parts, f"--{boundary}--\r\n".encode()])
    headers = {
        "Authorization": f"Bearer {key}",
        "Batch-Id": batch.batch_id,
        "Batch-Rows": str(batch.rows),
        "Content-Length": str(len(body)),
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "User-Agent": f"perfagent/{__version__}",
    }
    return headers, body


def _field(boundary: str, name: str, text: str) -> bytes:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()


def _part(boundary: str, dataset: str, text: str) -> bytes:
    """The field of the dataset system is named `file`, as in an upload by hand."""
    field = "file" if dataset == "system" else dataset
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{dataset}.csv.gz"\r\n'
        "Content-Type: application/gzip\r\n\r\n"
    )
    return head.encode() + gzip.compress(text.encode(), 6, mtime=0) + b"\r\n"


def drain(
    spool: Spool,
    config: Config,
    keep_going: Callable[[], bool] = lambda: True,
    timeout: float = 30.0,
    notes: Notes = MappingProxyType({}),
) -> Outcome:
    """Sends what waits: the newest batch and any that come meanwhile first, then the backlog from its oldest."""
    outcome = Outcome(noted=not notes)
    try:
        connection = Connection(config.url, config.ca_file, timeout)
    except OSError as error:
        outcome.stopped = True
        outcome.failure = f"the certificate of PERFAGENT_CA_FILE cannot be used: {error}"
        return outcome
    tried: list[str] = []
    try:
        live_from = max((sealed.number for sealed in spool.batches()), default=0)
        while not outcome.stopped and keep_going():
            sealed = next_batch(spool.batches(), tried, live_from)
            if sealed is None:
                break
            tried.append(sealed.batch_id)
            _send_one(spool, sealed, connection, config, outcome, notes)
    finally:
        connection.close()
    return outcome


def next_batch(waiting: list[Sealed], tried: list[str], live_from: int) -> Sealed | None:
    untried = [sealed for sealed in waiting if sealed.batch_id not in tried]
    live = [sealed for sealed in untried if sealed.number >= live_from]
    return live[-1] if live else next(iter(untried), None)


def _send_one(
    spool: Spool, sealed: Sealed, connection: Connection, config: Config, outcome: Outcome, notes: Notes
) -> None:
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
    judgement = _post(batch, connection, config, {} if outcome.noted else notes)
    outcome.noted |= judgement.verdict is Verdict.STORED
    _LOG.debug("Batch %s: %s in %.2f s", batch.batch_id, judgement.verdict.value, time.monotonic() - started)
    _act(spool, sealed, batch, judgement, outcome)


def _post(batch: Batch, connection: Connection, config: Config, notes: Notes) -> Judgement:
    headers, body = request(batch, config.key, notes)
    try:
        answer = connection.post(PATH, headers, body)
    except OSError as error:
        return Judgement(Verdict.KEPT, f"{config.url} could not be reached: {error or type(error).__name__}")
    return judge(answer, batch.batch_id, batch.rows)


def _act(spool: Spool, sealed: Sealed, batch: Batch, judgement: Judgement, outcome: Outcome) -> None:
    if judgement.verdict is Verdict.STORED:
        spool.acknowledge(sealed)
        outcome.sent_batches += 1
        outcome.sent_samples += sealed.samples
        outcome.sent_rows += sealed.rows
    elif judgement.verdict is Verdict.KEPT:
        _keep(judgement, outcome)
    elif len(batch.records) > 1:
        _split(spool, sealed, batch, outcome)
    else:
        spool.set_aside(sealed.path, judgement.reason)
        outcome.refused_batches += 1
        outcome.refused_samples += sealed.samples


def _split(spool: Spool, sealed: Sealed, batch: Batch, outcome: Outcome) -> None:
    """On a full disk there is no room for the halves, and the batch stays whole."""
    try:
        spool.split(sealed, batch)
        outcome.split_batches += 1
    except OSError as error:
        outcome.failure, outcome.stopped = f"a refused batch cannot be split: {error}", True


def _keep(judgement: Judgement, outcome: Outcome) -> None:
    """A batch that the portal has a bug with holds up no other; a portal that is away gets no more of them."""
    outcome.failure, outcome.code = judgement.reason, judgement.code
    outcome.retry_after = judgement.retry_after
    outcome.passed_over += 1
    outcome.stopped = judgement.code != BUG_CODE or outcome.passed_over >= MAX_PASSED_OVER
