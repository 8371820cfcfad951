"""Each role through each page, in Chromium: console and policy are silent, axe finds nothing serious, nothing jumps.

The pages come from portal.urls, so that a new one is walked without a word here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from accounts.models import Role
from portal.urls import urlpatterns
from tests.live.portal import RunningPortal
from tests.portal.browsing import IN_CHROMIUM, NARROW, WIDE, Visit, visit
from tests.portal.test_browser import system_csv

pytestmark = IN_CHROMIUM
WITH_ARGUMENTS = {
    "machine": "machines/server1", "invitation": "invitation/unknown", "visit": "visit/unknown",
    "operator-partner": "operator/partners/beta", "alert-rule": "alerts/rules/1",
}  # fmt: skip
"""Addresses with a part of their own; others of that kind are forms' targets, fragments or files."""
NO_PAGES = {"health", "install-script", "download-agent", "sign-out", "provider-callback", "export-alert-rules"}
SERIOUS = {"serious", "critical"}
MOST_SHIFT = 0.1
"""Cumulative layout shift that web.dev calls good."""
WATCH = """
window.watched = { shift: 0, refused: [] };
document.addEventListener("securitypolicyviolation", (event) => {
  window.watched.refused.push(`${event.violatedDirective} ${event.blockedURI}`);
});
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.watched.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@dataclass(frozen=True)
class Walk:
    """As whom, at which partner, in which colours and on how wide a screen."""

    partner: str
    role: Role
    scheme: str
    width: int

    def __str__(self) -> str:
        return f"{self.partner}-{self.role}-{self.scheme}-{self.width}"


WALKS = (
    Walk("alpha", Role.ADMIN, "light", WIDE),
    Walk("alpha", Role.ADMIN, "dark", NARROW),
    Walk("alpha", Role.ANALYST, "dark", WIDE),
    Walk("alpha", Role.VIEWER, "light", NARROW),
    Walk("operator", Role.ADMIN, "dark", WIDE),
    Walk("operator", Role.ADMIN, "light", NARROW),
)


@pytest.fixture(scope="module")
def filled(portal: RunningPortal) -> RunningPortal:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    assert portal.upload("alpha", system_csv(now - timedelta(minutes=90), 90)).status in (200, 201)
    return portal


def paths(walk: Walk) -> Iterator[str]:
    """Of every page that this person may open."""
    for pattern in urlpatterns:
        view, name = pattern.callback, str(pattern.name)
        route = WITH_ARGUMENTS.get(name, str(pattern.pattern))
        if name in NO_PAGES or "<" in route or "GET" not in view.methods:  # type: ignore[attr-defined]
            continue
        at_operator = hasattr(view, "operator_only")
        if at_operator and walk.partner != "operator":
            continue
        if walk.partner == "operator" and not at_operator:
            continue
        least = view.action.least if view.action else None  # type: ignore[attr-defined]
        if least is None or walk.role.reaches(least):
            yield f"/{route}"


@pytest.mark.parametrize("walk", WALKS, ids=str)
def test_a_role_walks_through_every_page_and_nothing_is_wrong(
    walk: Walk, browser: Browser, filled: RunningPortal
) -> None:
    with visit(browser, filled, walk.partner, width=walk.width) as found:
        found.page.emulate_media(color_scheme=walk.scheme)  # type: ignore[arg-type]
        found.page.add_init_script(WATCH)
        found.sign_in(str(walk.role))
        problems = [f"{path}: {problem}" for path in paths(walk) for problem in look(found, path)]
    assert problems == []


def look(found: Visit, path: str) -> list[str]:
    """What is wrong with one page."""
    found.complaints.clear()
    answer = found.page.goto(found.portal.url(found.partner) + path)
    if answer is None or "text/html" not in answer.headers.get("content-type", ""):
        return []
    if found.page.locator("script[src*=charts]").count():
        found.page.wait_for_load_state("networkidle")  # its charts come after it
    expected = answer.status in (200, 404)  # a link that is unknown has a page, too
    problems = [] if expected else [f"status {answer.status}"]
    problems += [text for text in found.complaints if "404" not in text]
    problems += [f"{found.overflow()} pixels too wide"] if found.overflow() > 0 else []
    return problems + _watched(found.page) + _axe(found.page)


def _watched(page: Page) -> list[str]:
    seen = page.evaluate("window.watched")
    jumped = [f"layout shift {seen['shift']:.3f}"] if seen["shift"] > MOST_SHIFT else []
    return jumped + [f"refused: {one}" for one in seen["refused"]]


def _axe(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"axe {one['id']}: {one['help']}: {one['nodes'][0]['html'][:160]}" for one in found if one["impact"] in SERIOUS
    ]
