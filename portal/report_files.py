"""How a file of a report is served: its page opens in a sandbox, where its script has nothing of the portal's.

A sandboxed page has an origin of its own: it reaches neither cookies nor pages of the portal, and its policy lets it
load nothing at all.
"""

from __future__ import annotations

import re

from django.http import HttpResponse

from reports.jobs import queue
from reports.jobs.models import Report

_OWN_SCRIPT = re.compile(rb"script-src (?:'|&#39;)(sha256-[A-Za-z0-9+/=]{44})")


def answer(report: Report, form: str, content: bytes) -> HttpResponse:
    """HTML is shown in its sandbox, the others are saved. Never cached, never indexed."""
    response = HttpResponse(content, content_type=queue.FORMS[form])
    shown = "inline" if form == "html" else "attachment"
    response["Content-Disposition"] = f'{shown}; filename="{queue.file_name(report, form)}"'
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response["Referrer-Policy"] = "no-referrer"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Content-Security-Policy"] = policy(content if form == "html" else b"")
    return response


def policy(page: bytes) -> str:
    """The page's one script, by the hash that the page itself names, its styles and its embedded pictures."""
    own = _OWN_SCRIPT.search(page[:4000])
    script = f"'{own[1].decode()}'" if own else "'none'"
    return "; ".join(
        (
            "sandbox allow-scripts",
            "default-src 'none'",
            f"script-src {script}",
            "style-src 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
