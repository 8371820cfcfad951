"""Other stores of measurements, where their programs are installed: the same rows into them in the same run."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.live.portal import free_port

VICTORIA_METRICS = ("victoria-metrics", "victoria-metrics-prod")


def victoria_metrics(path: Path, columns: Sequence[str]) -> float | None:
    """Seconds of its CSV import of `timestamp,machine_id,<columns>`, until rows can be asked for; None: not here."""
    program = next(filter(None, map(shutil.which, VICTORIA_METRICS)), None)
    if program is None:
        return None
    metrics = [f"{index}:metric:{name}" for index, name in enumerate(columns, 3)]
    form = ",".join(["1:time:rfc3339", "2:label:machine", *metrics])
    with _running(program) as url, path.open("rb") as file:
        file.readline()
        begun = time.perf_counter()
        request = urllib.request.Request(f"{url}/api/v1/import/csv?format={form}", data=file, method="POST")
        request.add_header("Content-Length", str(path.stat().st_size - file.tell()))
        urllib.request.urlopen(request, timeout=600).close()
        urllib.request.urlopen(f"{url}/internal/force_flush", timeout=60).close()
        return time.perf_counter() - begun


@contextlib.contextmanager
def _running(program: str) -> Iterator[str]:
    """Its address while it runs on a folder of its own; it ends, by its process id, with the block."""
    url = f"http://127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory(prefix="perfanalysis-peer-") as folder:
        address = url.removeprefix("http://")
        server = subprocess.Popen(
            [program, f"-storageDataPath={folder}", f"-httpListenAddr={address}", "-retentionPeriod=12"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait(url)
            yield url
        finally:
            server.terminate()
            server.wait(60)


def _wait(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"{url}/health", timeout=5).close()
            return
        time.sleep(0.1)
    raise SystemExit(f"the peer at {url} did not answer")
