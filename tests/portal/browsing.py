"""A headless Chromium on the running portal, and what it complains of."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.live.portal import RunningPortal

CHROMIUM = shutil.which("chromium")
IN_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt install chromium"),
]
"""Marks of a module of tests in a browser."""
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDE, NARROW = 1400, 380
_SERIOUS = ("serious", "critical")
Scheme = Literal["light", "dark"]
expect.set_options(timeout=20_000)


@dataclass
class Visit:
    """One browser window at one partner; complaints: console errors, page errors, refused content."""

    page: Page
    portal: RunningPortal
    partner: str
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.portal.url(self.partner) + path)

    def sign_in(self, role: str) -> None:
        self.open("/sign-in")
        self.page.fill("#id_email", f"{role}@{self.partner}.example")
        self.page.fill("#id_password", self.portal.password)
        self.page.click("button[type=submit]")
        self.page.wait_for_url("**/")

    def serious(self) -> list[str]:
        """What axe finds serious or critical."""
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found if one["impact"] in _SERIOUS]

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextlib.contextmanager
def visit(
    browser: Browser, portal: RunningPortal, partner: str, *, width: int = WIDE, scheme: Scheme = "light"
) -> Iterator[Visit]:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, timezone_id="America/New_York", color_scheme=scheme
    )
    page = context.new_page()
    page.set_default_timeout(20_000)
    found = Visit(page, portal, partner)
    page.on("console", lambda message: found.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.complaints.append(error.message))
    page.on("request", lambda request: _check_host(found, request.url))
    yield found
    context.close()


def _check_host(found: Visit, url: str) -> None:
    if not url.startswith((found.portal.url(found.partner), "data:", "blob:")):
        found.complaints.append(f"asked another host: {url}")
