"""The screenshots of README and docs, taken from a running demo: `python docs/screenshots.py [--data-dir .data]`.

Needs Chromium and `make demo` running in another terminal. Addresses and passwords come from `demo.json`.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 1400
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PARTNER, MACHINE = "sample", "db01"
COMPARED = "how=machines&machines=web01&machines=web02&machines=vps01&zone=UTC"


@dataclass(frozen=True)
class Shot:
    """One picture: its file, address, height of the window, what must be drawn, and what the pointer is over."""

    name: str
    path: str
    height: int
    ready: str
    pointed: str = ""


def shots(machine_id: str) -> Sequence[Shot]:
    return (
        Shot("fleet", "/?sort=cpu", 900, ".machines .spark"),
        Shot(
            "machine",
            f"/machines/{machine_id}?range=7d",
            1240,
            "[data-panel=cores] canvas",
            "[data-panel=cpu-mode] .over",
        ),
        Shot("compare", f"/compare?{COMPARED}", 1180, "[data-chart] canvas", "[data-chart] .over"),
    )


def sign_in(page: Page, url: str, user: dict[str, str]) -> None:
    page.goto(f"{url}/sign-in")
    page.fill("#id_email", user["email"])
    page.fill("#id_password", user["password"])
    page.click("button[type=submit]")
    page.wait_for_url("**/")


def take(page: Page, url: str, shot: Shot, folder: Path) -> Path:
    page.set_viewport_size({"width": WIDTH, "height": shot.height})
    page.goto(url + shot.path)
    page.locator(shot.ready).first.wait_for()
    page.wait_for_timeout(1000)
    if shot.pointed:
        page.locator(shot.pointed).first.hover()
        page.wait_for_timeout(300)
    target = folder / f"{shot.name}.png"
    page.screenshot(path=target)
    return target


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=ROOT / ".data", help="where demo.json is")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    options = parser.parse_args(arguments)
    demo: dict[str, Any] = json.loads((options.data_dir / "demo.json").read_text())
    partner = demo["partners"][PARTNER]
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page = browser.new_page(color_scheme="light")
        sign_in(page, partner["url"], partner["users"]["viewer"])
        for shot in shots(MACHINE):
            take(page, partner["url"], shot, options.out)
        browser.close()


if __name__ == "__main__":
    main()
