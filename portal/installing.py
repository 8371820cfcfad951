"""`/install.sh`: the installer of the agent, for anyone who can reach the portal, as the agent itself is."""

from __future__ import annotations

import hashlib
import re
import shlex
from pathlib import Path

from django.conf import settings
from django.http import HttpResponse

from core.errors import ServiceError
from portal.access import PageRequest, page

AGENT = "perfagent.pyz"
_SCRIPT = Path(__file__).with_name("install.sh")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")
"""Narrower than what Django lets through as a host: this text is run as root."""


@page(None)
def install_script(request: PageRequest) -> HttpResponse:
    """A POSIX shell script with this portal's address and the checksum of the agent that it serves."""
    built = settings.BASE_DIR / "dist" / AGENT
    if not built.is_file():
        raise ServiceError("REQUEST_001", "The agent is not built on this portal yet. Its operator runs: make agent")
    portal = request.build_absolute_uri("/").rstrip("/")
    if not _ADDRESS.fullmatch(portal):
        raise ServiceError("REQUEST_003", "This portal has no installer at that address; use its host name.")
    checksum = hashlib.sha256(built.read_bytes()).hexdigest()
    unit = (settings.BASE_DIR / "deploy" / "perfagent.service").read_text()
    return HttpResponse(fill(portal, checksum, unit), content_type="text/plain; charset=utf-8")


def fill(portal: str, checksum: str, unit: str) -> str:
    script = _SCRIPT.read_text()
    values = {"PORTAL_QUOTED": shlex.quote(portal), "PORTAL": portal, "SHA256": checksum, "UNIT": unit.rstrip()}
    return re.sub("@(" + "|".join(values) + ")@", lambda match: values[match.group(1)], script)
