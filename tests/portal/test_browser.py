"""The pages in a real browser, under the content security policy, at desk and phone width."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.live.portal import RunningPortal
from tests.portal.browsing import IN_CHROMIUM, NARROW, WIDE, Visit, visit

pytestmark = IN_CHROMIUM
MINUTE = timedelta(minutes=1)
COLUMNS = (
    "cpu_user",
    "cpu_system",
    "cpu_idle",
    "mem_used_mb",
    "mem_total_mb",
    "disk_read_mb",
    "net_rx_mb",
    "load_1min",
)


def system_csv(start: datetime, count: int) -> bytes:
    lines = [f"timestamp,{','.join(COLUMNS)}"]
    for index in range(count):
        busy = index % 40
        values = (busy, 5, 95 - busy, 4000 + index, 8000, busy / 2, busy / 4, busy / 20)
        lines.append(f"{(start + MINUTE * index).isoformat()},{','.join(map(str, values))}")
    return "\n".join([*lines, ""]).encode()


@pytest.fixture(scope="module")
def filled(portal: RunningPortal) -> RunningPortal:
    """Two stretches of samples of alpha's server1, half an hour apart, the newest a minute old."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for start, count in ((now - MINUTE * 150, 60), (now - MINUTE * 60, 60)):
        answer = portal.upload("alpha", system_csv(start, count))
        assert answer.status == 201, answer.body
    return portal


@pytest.fixture
def alpha_visit(browser: Browser, filled: RunningPortal) -> Iterator[Visit]:
    with visit(browser, filled, "alpha") as found:
        yield found


@pytest.mark.parametrize("role", ["admin", "analyst", "viewer"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_each_role_sees_fleet_and_charts(role: str, width: int, browser: Browser, filled: RunningPortal) -> None:
    with visit(browser, filled, "alpha", width=width) as found:
        found.sign_in(role)
        expect(found.page.locator("#machine-server1")).to_be_visible()
        assert found.overflow() <= 0
        found.page.click("#machine-server1")
        found.page.get_by_role("link", name="6h").click()
        expect(found.page.locator("[data-panel=cpu-mode] canvas")).to_be_visible()
        expect(found.page.locator("#coverage")).to_contain_text("1 gap")
        expect(found.page.locator("[data-panel=cpu-mode] .legend b").first).not_to_have_text("–")
        assert found.overflow() <= 0
        assert found.complaints == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize(
    "path",
    [
        "/manage/machines", "/add", "/password", "/machines/server1?range=30d", "/tokens", "/sessions",
        "/security", "/security/app",
        "/manage/people", "/manage/audit", "/manage/settings",
    ],
)  # fmt: skip
def test_pages_fit_and_do_not_complain(path: str, width: int, browser: Browser, filled: RunningPortal) -> None:
    with visit(browser, filled, "alpha", width=width) as found:
        found.sign_in("admin")
        found.open(path)
        expect(found.page.locator("h1")).to_be_visible()
        assert found.overflow() <= 0
        assert found.complaints == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_an_invited_person_joins_in_their_own_browser(width: int, browser: Browser, filled: RunningPortal) -> None:
    email = f"a-person-with-a-very-long-address-{width}@customer-number-seven.example"
    with visit(browser, filled, "alpha", width=width) as admin, visit(browser, filled, "alpha", width=width) as invited:
        admin.sign_in("admin")
        admin.open("/manage/people")
        admin.page.fill("#id_email", email)
        admin.page.get_by_role("button", name="Invite").click()
        link = admin.page.get_by_label("Link").inner_text()
        assert admin.overflow() <= 0
        invited.page.goto(link)
        assert invited.overflow() <= 0
        for label, value in (
            ("Your name", "Ann"),
            ("Password", "long enough 77"),
            ("The same again", "long enough 77"),
        ):
            invited.page.get_by_label(label, exact=True).fill(value)
        invited.page.get_by_role("button", name="Join").click()
        expect(invited.page.get_by_role("heading", name="Fleet")).to_be_visible()
        expect(invited.page.get_by_role("link", name="People")).to_have_count(0)
        assert admin.complaints + invited.complaints == []


def test_on_a_phone_the_menu_shows_where_one_is(browser: Browser, filled: RunningPortal) -> None:
    with visit(browser, filled, "alpha", width=NARROW) as found:
        found.sign_in("admin")
        found.open("/reports")
        expect(found.page.locator(".nav [aria-current]")).to_be_in_viewport(ratio=1)


COLOURED_RUNS = """() => {
  const canvas = document.querySelector("[data-panel=cpu-mode] canvas");
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const isColoured = (x, y) => {
    const [red, green, blue, alpha] = pixels.slice((y * width + x) * 4, (y * width + x) * 4 + 4);
    return alpha > 150 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60;
  };
  const columns = [...Array(width).keys()].map((x) => [...Array(height).keys()].some((y) => isColoured(x, y)));
  return columns.filter((coloured, x) => coloured && !columns[x - 1]).length;
}"""


def test_a_gap_is_drawn_as_a_gap(alpha_visit: Visit) -> None:
    """Two stretches of samples make two separate areas."""
    alpha_visit.sign_in("viewer")
    alpha_visit.open("/machines/server1?range=6h")
    expect(alpha_visit.page.locator("[data-panel=cpu-mode] .legend b").first).not_to_have_text("–")
    expect(alpha_visit.page.locator("[data-panel=cpu-mode] canvas")).to_be_visible()
    alpha_visit.page.wait_for_function(f"({COLOURED_RUNS})() > 0")
    assert alpha_visit.page.evaluate(COLOURED_RUNS) == 2


def test_live_values_move_without_a_reload(alpha_visit: Visit) -> None:
    alpha_visit.sign_in("viewer")
    alpha_visit.open("/machines/server1?range=1h")
    shown = alpha_visit.page.locator("[data-panel=memory] .legend b").first
    expect(shown).not_to_have_text("–")
    alpha_visit.page.evaluate("window.stayed = true")
    now = datetime.now(UTC).replace(microsecond=0)
    text = f"timestamp,mem_used_mb,mem_total_mb\n{now.isoformat()},7777,8000\n"
    assert alpha_visit.portal.upload("alpha", text.encode()).status == 201
    expect(shown).to_have_text("7,777")
    assert alpha_visit.page.evaluate("window.stayed") is True


def test_search_narrows_the_fleet_while_typing(alpha_visit: Visit) -> None:
    alpha_visit.sign_in("viewer")
    alpha_visit.page.locator("#q").press_sequentially("nothing")
    expect(alpha_visit.page.get_by_text("No machine matches")).to_be_visible()
    assert "q=nothing" in alpha_visit.page.url
    alpha_visit.page.fill("#q", "server")
    expect(alpha_visit.page.locator("#machine-server1")).to_be_visible()
    assert alpha_visit.complaints == []


def test_sorting_survives_a_refresh(alpha_visit: Visit) -> None:
    alpha_visit.sign_in("viewer")
    alpha_visit.page.click("#sort-cpu")
    expect(alpha_visit.page.locator("th.col-cpu")).to_have_attribute("aria-sort", "descending")
    with alpha_visit.page.expect_response(lambda answer: "sort=cpu" in answer.url, timeout=15_000):
        pass
    expect(alpha_visit.page.locator("th.col-cpu")).to_have_attribute("aria-sort", "descending")


def test_a_series_can_be_hidden_from_the_keyboard(alpha_visit: Visit) -> None:
    alpha_visit.sign_in("viewer")
    alpha_visit.open("/machines/server1")
    button = alpha_visit.page.locator("[data-panel=cpu-mode] .legend button").first
    expect(alpha_visit.page.locator("[data-panel=cpu-mode] canvas")).to_be_visible()
    button.focus()
    alpha_visit.page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")
    assert alpha_visit.complaints == []


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (429, {"Retry-After": "17"}, "Too many requests from your address. Trying again in 17 s."),
        (503, {}, "database is away"),
        (403, {}, "Ask an Admin"),
    ],
)
def test_what_goes_wrong_is_said_in_words(status: int, headers: dict[str, str], words: str, alpha_visit: Visit) -> None:
    alpha_visit.sign_in("viewer")
    alpha_visit.page.route("**/performance/series**", lambda route: route.fulfill(status=status, headers=headers))
    alpha_visit.open("/machines/server1")
    expect(alpha_visit.page.locator("#trouble")).to_contain_text(words)


def test_times_are_in_the_readers_zone_with_utc_on_hover(alpha_visit: Visit) -> None:
    alpha_visit.sign_in("viewer")
    alpha_visit.open("/machines/server1")
    expect(alpha_visit.page.locator("#freshness")).to_contain_text("America/New_York")
    title = alpha_visit.page.locator("#head time").first.get_attribute("title") or ""
    assert "UTC" in title
    assert "ES" in title or "ED" in title


def test_the_skip_link_is_the_first_stop(alpha_visit: Visit) -> None:
    alpha_visit.sign_in("viewer")
    alpha_visit.page.keyboard.press("Tab")
    expect(alpha_visit.page.locator(".skip")).to_be_focused()


def test_a_form_that_takes_long_says_so_until_it_is_answered(browser: Browser, portal: RunningPortal) -> None:
    """The page itself notes what it shows: Playwright does not look at one that is being left."""
    held: list[Route] = []
    with visit(browser, portal, "operator") as found:
        found.sign_in("admin")
        found.open("/operator/open")
        found.page.route("**/operator/open", lambda route: held.append(route))
        found.page.locator("main form").evaluate(
            """form => {
                const button = form.lastElementChild;
                const note = () => sessionStorage.shown = `${document.body.className}: ${button.innerText}`;
                new MutationObserver(note).observe(document.body, { attributes: true });
                form.noValidate = true;
                setTimeout(() => form.requestSubmit(), 0);
            }"""
        )
        found.page.wait_for_timeout(1500)
        held[0].continue_()
        expect(found.page.locator("body:not(.waiting) .problem").first).to_be_visible()
        assert found.page.evaluate("sessionStorage.shown") == "waiting: Opening…"
