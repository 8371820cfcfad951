"""What an answer to an upload means. Only the portal's own word moves data; everything else keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

from agent.transport import Answer

REFUSING_CODES = frozenset(f"UPLOAD_{number:03d}" for number in range(1, 9))
_MAX_RETRY_AFTER_SECONDS = 3600.0


class Verdict(Enum):
    STORED = "stored"
    REFUSED = "refused"
    KEPT = "kept"


@dataclass(frozen=True)
class Judgement:
    """reason: a sentence for the log. code: the portal's own, if any. retry_after: seconds."""

    verdict: Verdict
    reason: str = ""
    code: str = ""
    retry_after: float | None = None


def judge(answer: Answer, batch_id: str, rows: int | None) -> Judgement:
    """rows: how many the answer must name; None when the sender does not know."""
    content = _json(answer.body)
    if 200 <= answer.status < 300:
        return _judge_success(answer, content, batch_id, rows)
    code = content.get("code")
    if content.get("status") != "error" or not isinstance(code, str):
        return Judgement(Verdict.KEPT, f"HTTP {answer.status} that is not the portal's own", "", _retry_after(answer))
    reason = f"HTTP {answer.status} {code[:40]}: {str(content.get('error', ''))[:300]!r}"
    if 400 <= answer.status < 500 and code in REFUSING_CODES:
        return Judgement(Verdict.REFUSED, reason, code)
    return Judgement(Verdict.KEPT, reason, code[:40], _retry_after(answer))


def _judge_success(answer: Answer, content: Any, batch_id: str, rows: int | None) -> Judgement:
    same_rows = rows is None or content.get("records_processed") == rows
    if content.get("status") in ("success", "accepted") and content.get("batch_id") == batch_id and same_rows:
        return Judgement(Verdict.STORED)
    return Judgement(Verdict.KEPT, f"HTTP {answer.status} that does not name this batch and its rows")


def _json(body: bytes) -> Any:
    """The JSON object of the body, or an empty one."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _retry_after(answer: Answer) -> float | None:
    """Seconds; the form with a date is for caches and is not used by the portal."""
    text = answer.headers.get("retry-after", "").strip()
    return min(float(text), _MAX_RETRY_AFTER_SECONDS) if text.isascii() and text.isdigit() else None
