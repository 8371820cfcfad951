"""Scripts of the pages: the chart library is made from an installed package, once; modules have names with hashes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.core.files.storage import FileSystemStorage

from core.static_files import ModuleStorage
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


def test_modules_import_each_other_by_names_with_hashes(settings: Any, tmp_path: Path) -> None:
    """So that no browser mixes a new module with an old one of its cache."""
    source = FileSystemStorage(location=str(settings.BASE_DIR / "static"))
    names = [f"portal/charts/{name}" for name in source.listdir("portal/charts")[1]]
    storage = ModuleStorage(location=str(tmp_path), base_url="/static/")
    for name in names:
        storage.save(name, source.open(name))
    for _, _, done in storage.post_process({name: (storage, name) for name in names}):
        assert not isinstance(done, Exception)
    texts = [(tmp_path / storage.stored_name(name)).read_text() for name in names]
    imported = {found for text in texts for found in re.findall(r'(?:from |import ?)"(\./[^"]+)"', text)}
    assert imported
    assert all(re.search(r"\.[0-9a-f]{12}\.js$", name) for name in imported), imported
