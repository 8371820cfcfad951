"""Draws the figures of a document, once for HTML and PDF alike; in a cold process, beside other work.

The drawing engine takes half a second to start and holds Python's lock meanwhile, so a command line run starts two
drawing processes (`python -m reports.drawing`: a specification a line in, a drawing a line out) before it reads its
input. A long-lived process, whose engine is warm, draws in place.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

from reports import charts
from reports.document import Document, Figure

HELPERS = 2
ROOT = Path(__file__).parents[1]

Helper = subprocess.Popen[str]
Specs = Sequence[Mapping[str, Any]]


def draw(document: Document, helpers: Sequence[Helper] = ()) -> list[str]:
    """SVG in light colours of every figure, in order; the helpers end with it."""
    specs = [block.spec for block in document.blocks() if isinstance(block, Figure)]
    if not helpers:
        return _draw_here(specs)
    count = len(helpers)
    with ThreadPoolExecutor(count) as threads:
        shares = list(threads.map(_draw_there, helpers, [specs[at::count] for at in range(count)]))
    return [shares[at % count][at // count] for at in range(len(specs))]


def start_helpers() -> list[Helper]:
    """Drawing processes that begin to warm up at once."""
    command = [sys.executable, "-m", "reports.drawing"]
    pipe, devnull = subprocess.PIPE, subprocess.DEVNULL
    return [
        subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=devnull, text=True, encoding="utf-8")
        for _ in range(HELPERS)
    ]


def stop(helpers: Sequence[Helper]) -> None:
    """End helpers that are still running."""
    for helper in helpers:
        if helper.poll() is None:
            helper.kill()
        helper.wait()


def _draw_there(helper: Helper, specs: Specs) -> list[str]:
    """The drawings of a helper; drawn here when it failed (no memory for a second engine, say)."""
    answer, _ = helper.communicate("".join(json.dumps(spec) + "\n" for spec in specs))
    drawings = [json.loads(line) for line in answer.splitlines()]
    return drawings if helper.returncode == 0 and len(drawings) == len(specs) else _draw_here(specs)


def _draw_here(specs: Specs) -> list[str]:
    return [charts.to_svg(dict(spec)) for spec in specs]


def serve(lines: IO[str], out: IO[str]) -> None:
    """What a helper does: warm up, then answer each specification with its drawing."""
    charts.to_svg(charts.with_rows(charts.sparkline(""), []))
    for line in lines:
        out.write(json.dumps(charts.to_svg(json.loads(line))) + "\n")


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout)
