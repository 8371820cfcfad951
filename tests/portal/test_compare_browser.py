"""The page Compare in a real browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from tests.live.portal import RunningPortal
from tests.portal.browsing import IN_CHROMIUM, NARROW, WIDE, Scheme, visit

pytestmark = IN_CHROMIUM
DAYS = 14


@pytest.fixture(scope="module")
def change(portal: RunningPortal) -> str:
    """Two weeks of alpha's server1, 40 days ago, with more memory in use from the second on; returns when that was."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=40)
    lines = ["timestamp,mem_used_mb,mem_total_mb,disk_await_ms"]
    for half in range(DAYS * 48):
        moment = start + timedelta(minutes=30 * half)
        used = 4000 + half % 7 + (800 if half >= DAYS * 24 else 0)
        lines.append(f"{moment.isoformat()},{used},8000,{1 + half % 5}")
    answer = portal.upload("alpha", "\n".join([*lines, ""]).encode())
    assert answer.status in (200, 201), answer.body
    return (start + timedelta(days=DAYS / 2)).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_change_is_asked_for_answered_and_drawn(
    width: int, scheme: Scheme, change: str, browser: Browser, portal: RunningPortal
) -> None:
    with visit(browser, portal, "alpha", width=width, scheme=scheme) as found:
        found.sign_in("viewer")
        found.page.get_by_role("link", name="Compare").click()
        assert found.serious() == []
        found.page.get_by_label("A machine before and after a change").check()
        found.page.get_by_label("server1").check()
        found.page.get_by_label("Changed at").fill(change)
        found.page.get_by_label("Time zone").fill("UTC")
        found.page.get_by_role("button", name="Compare").click()
        expect(found.page.locator("#s-answer")).to_contain_text("Memory used is higher by 10 points (+20 %)")
        expect(found.page.locator("[data-chart=mem_used_percent] canvas")).to_be_visible()
        expect(found.page.get_by_label("Changed at")).to_have_value(change)
        box = found.page.locator("[data-chart=mem_used_percent] .over").bounding_box()
        assert box
        found.page.locator("[data-chart=mem_used_percent] .over").hover(position={"x": box["width"] / 2, "y": 50})
        values = found.page.locator("[data-chart=mem_used_percent] .legend b")
        expect(values.nth(0)).to_have_text(re.compile(r"^50"))
        expect(values.nth(1)).to_have_text(re.compile(r"^60"))
        expect(found.page.locator("[data-chart=disk_await_ms] .cross")).to_be_visible()
        assert found.serious() == []
        assert found.overflow() <= 0
        assert found.complaints == []
