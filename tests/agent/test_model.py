"""Whatever happens, in whatever order: stored = collected, each once, and every drop is counted."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from agent import upload
from agent.ages import SETTLING_SECONDS
from agent.clocks import Instant
from agent.config import Config
from agent.service import Service
from agent.spool import Sealed
from agent.transport import Answer
from agent.upload import Outcome, drain

from tests.agent.model import Portal, page, parse_multipart, refusal

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

REPLIES = {
    "lose reply": "lose reply",
    **{f"page {http}": page(http) for http in (200, 403, 404, 413, 502)},
    "bug": refusal(500, "SERVER_001"),
    "away": refusal(503, "SERVER_002"),
    "limit": refusal(429, "RATE_001"),
    "revoked": refusal(401, "AUTH_001"),
    "no connection": None,
}
FAULT = st.sampled_from(["", "", "write", "fsync"])
POISON_EVERY = 7
LARGEST = 5
FOREVER = 10**9


class Strict(Portal):
    """Refuses batches with a poison sample or too many rows, and answers in a way that is set for the next requests."""

    def __init__(self) -> None:
        super().__init__()
        self.planned: list[Any] = []

    def plan(self, batch_id: str, body: bytes, headers: dict[str, str]) -> Any:
        planned = self.planned.pop(0) if self.planned else "portal"
        if planned not in ("portal", "lose reply"):
            return planned
        rows = parse_multipart(headers["Content-Type"], body)["file"].splitlines()[1:]
        if len(rows) > LARGEST:
            return refusal(413, "UPLOAD_004")
        return refusal(400, "UPLOAD_003") if any(is_poison(row) for row in rows) else planned


def is_poison(row: str) -> bool:
    return int(row.rpartition(",")[2]) % POISON_EVERY == 0


class FakeConnection:
    """In place of the network: no sockets, so that a thousand steps take a second."""

    portal: Strict

    def __init__(self, *_: Any) -> None:
        pass

    def post(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        portal = self.portal
        portal.intercept = lambda batch_id, _: portal.plan(batch_id, body, headers)
        reply = portal.receive(headers, body)
        if reply is None:
            raise ConnectionResetError("the reply is lost")
        http, fields, content = reply
        return Answer(http, {name.lower(): value for name, value in fields.items()}, content)

    def close(self) -> None:
        pass


class Faults:
    """Calls of the kernel that fail so many times."""

    def __init__(self) -> None:
        self.left = {"write": 0, "fsync": 0}
        self.real = {name: getattr(os, name) for name in self.left}

    def install(self) -> None:
        for name in self.left:
            setattr(os, name, self._failing(name))

    def remove(self) -> None:
        for name, real in self.real.items():
            setattr(os, name, real)

    def _failing(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if not self.left[name]:
                return self.real[name](*arguments)
            self.left[name] -= 1
            if name == "write":
                self.real[name](arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            raise OSError(errno.ENOSPC if name == "write" else errno.EIO, "as planned")

        return call


class AgentLife(RuleBasedStateMachine):
    """`collected`: samples that are durable. `spoilt`: those in files that a rule has damaged."""

    @initialize()
    def begin(self) -> None:
        logging.disable()
        self.root = tempfile.mkdtemp()
        self.portal = FakeConnection.portal = Strict()
        self.real_connection = vars(upload)["Connection"]
        vars(upload)["Connection"] = FakeConnection
        self.faults = Faults()
        self.faults.install()
        self.config = Config(url="http://portal.localhost", key="pfa_model", spool_dir=self.root)
        self.right = Instant(time.time(), 100.0, 100.0)
        self.instant = self.right
        self.number = 0
        self.collected: set[str] = set()
        self.memory: list[str] = []
        self.spoilt: set[str] = set()
        self.counted = 0
        self.start()

    def start(self) -> None:
        """The clock is right at the start of a process; for one that is wrong even then, see `agent.ages`."""
        self.instant = Instant(self.right.wall, self.instant.monotonic, self.instant.boottime)
        self.service = Service(self.config, lambda: self.config)
        self.service._spool._now = lambda: self.instant
        self.service._spool.open()

    def stop(self) -> None:
        for handle in (self.service._wake, self.service._waker):
            os.close(handle)
        self.count_losses()

    def count_losses(self) -> None:
        counters = self.service._spool.counters
        self.counted += counters.pop("dropped_samples", 0) + counters.pop("quarantined_samples", 0)

    @rule(fault=FAULT)
    def take_a_sample(self, fault: str) -> None:
        self.faults.left.update({fault: 1} if fault else {})
        self.number += 1
        row = f"2026-01-05T12:00:00Z,m,{self.number}"
        self.memory.append(row)
        self.service.keep({"system": [row], "disks": [f"{row},sda"]})
        self.note_what_is_durable()

    def note_what_is_durable(self) -> None:
        waiting = len(self.service._unspooled)
        durable = self.memory[: len(self.memory) - waiting]
        self.collected.update(durable)
        self.memory = self.memory[len(durable) :]

    @rule(call=st.sampled_from(["write", "fsync"]), times=st.integers(2, 4))
    def break_the_disk(self, call: str, times: int) -> None:
        self.faults.left[call] = times

    @rule(fault=FAULT)
    def seal(self, fault: str) -> None:
        self.faults.left.update({fault: 1} if fault else {})
        self.service._seal()
        self.counted += self.service.state.status.totals.pop("dropped_samples", 0)

    @rule(replies=st.lists(st.sampled_from(sorted(REPLIES)), max_size=3), fault=FAULT)
    def upload(self, replies: list[str], fault: str) -> None:
        self.faults.left.update({fault: 1} if fault else {})
        self.portal.planned = [REPLIES[name] for name in replies]
        self.drain()
        self.portal.planned = []

    def drain(self) -> Outcome:
        outcome = drain(self.service._spool, self.config)
        self.counted += outcome.refused_samples
        self.service._spool.counters.clear()
        return outcome

    @rule()
    def kill(self) -> None:
        """What is in memory only is lost with the process, and was never collected."""
        spool = self.service._spool
        if spool._journal is not None:
            spool._journal.close()
        spool.release_lock()
        self.stop()
        self.memory = []
        self.start()

    @rule()
    def restart(self) -> None:
        self.service._flush()
        self.note_what_is_durable()
        self.service._seal()
        self.counted += self.service.state.status.totals.pop("dropped_samples", 0)
        self.service._spool.close()
        self.stop()
        self.memory = []
        self.start()

    @rule(seconds=st.sampled_from([300.0, SETTLING_SECONDS]), jump=st.sampled_from([0.0, -1e6, 1e6, 1e9]))
    def set_the_clock(self, seconds: float, jump: float) -> None:
        """Never so long that a batch is really too old."""
        now = self.instant
        self.instant = Instant(now.wall + seconds + jump, now.monotonic + seconds, now.boottime + seconds)

    def batches(self) -> list[Sealed]:
        return self.service._spool.batches()

    @precondition(lambda self: hasattr(self, "service") and self.batches())
    @rule(data=st.data(), how=st.sampled_from(["truncate", "flip", "empty"]))
    def spoil_a_file(self, data: Any, how: str) -> None:
        path = Path(data.draw(st.sampled_from(self.batches())).path)
        content = path.read_bytes()
        self.spoilt.update(row for row in self.collected if f'"{row}"'.encode() in content)
        spoilt = {"truncate": content[:-3], "flip": content.replace(b"12:00", b"12:07"), "empty": b""}
        path.write_bytes(spoilt[how])

    @rule()
    def drop_a_foreign_file(self) -> None:
        Path(self.root, "queue", f"foreign-{self.number}.txt").write_text("?")

    @precondition(lambda self: hasattr(self, "service") and len(self.batches()) > 1)
    @rule()
    def overflow(self) -> None:
        """The oldest goes, and the counter knows how many samples were in it."""
        contents = {sealed.path: Path(sealed.path).read_bytes() for sealed in self.batches()}
        self.service._spool.enforce_bounds(sum(map(len, contents.values())) - 1, FOREVER)
        dropped = contents.keys() - {sealed.path for sealed in self.batches()}
        assert dropped
        lost = b"".join(contents[path] for path in dropped)
        self.spoilt.update(row for row in self.collected if f'"{row}"'.encode() in lost)
        self.count_losses()

    @invariant()
    def no_sample_is_stored_twice(self) -> None:
        if hasattr(self, "portal"):
            assert len(self.portal.rows) == len(set(self.portal.rows))

    def teardown(self) -> None:
        if not hasattr(self, "service"):
            return
        try:
            self.settle()
        finally:
            logging.disable(logging.NOTSET)
            self.faults.remove()
            vars(upload)["Connection"] = self.real_connection
            shutil.rmtree(self.root, ignore_errors=True)

    def settle(self) -> None:
        """Disk and portal are well again: all that is not lost arrives, and what is lost is counted."""
        self.faults.left = {"write": 0, "fsync": 0}
        self.restart()
        while self.batches():
            assert not self.drain().failure
        self.service._spool.close()
        self.stop()
        stored, lost = set(self.portal.rows), self.collected - set(self.portal.rows)
        assert stored <= self.collected
        assert lost <= self.spoilt | {row for row in self.collected if is_poison(row)}
        assert not {row for row in stored if is_poison(row)}
        assert len(lost) <= self.counted


TestAgentLife = AgentLife.TestCase
TestAgentLife.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
