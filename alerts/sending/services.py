"""Services that apprise knows: each message is sent by a process of its own, which is ended when its time is over."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
from typing import Any

from django.conf import settings

from alerts.sending.parcels import Outcome, Parcel

logger = logging.getLogger("perfanalysis.sending")

SECONDS = 25.0
_KEPT = ("PATH", "LANG", "TZDIR")
_TYPES = {"info": "info", "warning": "warning", "critical": "failure"}


def name_of(address: str) -> str:
    """The service that an address is of; empty when apprise does not understand it."""
    return str(_ask({"do": "check", "address": address}).get("service", ""))


def send(parcel: Parcel, seconds: float = SECONDS) -> Outcome:
    letter = parcel.letter
    kind = "success" if letter.is_good_news else _TYPES[letter.severity]
    answer = _ask(
        {
            "do": "send", "address": parcel.address, "title": letter.subject, "body": letter.text, "type": kind,
            "png": base64.b64encode(letter.png).decode(),
        },
        seconds,
    )  # fmt: skip
    return Outcome(bool(answer["sent"]), answer.get("reason", ""))


def _ask(question: dict[str, Any], seconds: float = SECONDS) -> dict[str, Any]:
    """The address goes through the pipe: a command line is for everybody on the machine to see."""
    command = [sys.executable, "-B", "-m", "alerts.sending.services_process"]
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    text = json.dumps({**question, "allowed": settings.OUTGOING_ALLOW, "seconds": seconds})
    try:
        done = subprocess.run(
            command, cwd=settings.BASE_DIR, env=environment, input=text.encode(), stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"sent": False, "reason": "The service did not answer in time."}
    if done.returncode:
        logger.error("the process that sends through apprise ended with %d", done.returncode)
        return {"sent": False, "reason": "The service's client failed."}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
