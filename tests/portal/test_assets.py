"""The chart library is made from an installed package, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders

from portal import assets


def test_the_library_is_written_once(tmp_path: Path) -> None:
    path = assets.build(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "window.vegaEmbed" in text[-200:]
    path.write_text("kept")
    assert assets.build(tmp_path).read_text() == "kept"
    assert [file.name for file in path.parent.iterdir()] == ["vega.js"]


def test_it_is_one_of_the_static_files(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    found = finders.find(assets.NAME)
    assert isinstance(found, str)
    assert Path(found).is_file()
    assert finders.find("portal/portal.css")
