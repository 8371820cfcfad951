"""The Debian package: what is in it, and that the same sources give the same bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import debian

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not installed")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return debian.build(tmp_path_factory.mktemp("deb"))


def listing(package: Path) -> dict[str, str]:
    """Mode and owner by path."""
    done = subprocess.run(["dpkg-deb", "-c", package], check=True, capture_output=True, text=True)
    lines = [line.split(None, 5) for line in done.stdout.splitlines()]
    return {fields[5].lstrip("."): f"{fields[0]} {fields[1]}" for fields in lines}


def test_the_same_sources_give_the_same_bytes_under_any_umask(package: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        again = debian.build(tmp_path)
    finally:
        os.umask(before)
    assert again.read_bytes() == package.read_bytes()


def test_files_belong_to_root_and_nothing_is_in_the_settings_folder(package: Path) -> None:
    found = listing(package)
    assert found["/usr/bin/perfagent"] == found["/usr/lib/perfagent/perfagent.pyz"] == "-rwxr-xr-x root/root"
    assert found["/lib/systemd/system/perfagent.service"] == "-rw-r--r-- root/root"
    assert not [path for path in found if path.startswith("/etc")]


def test_what_is_unpacked_runs(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    command = [sys.executable, str(tmp_path / "usr/lib/perfagent/perfagent.pyz"), "--version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("perfagent ")


def test_the_unit_starts_the_program_of_the_package(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    unit = (tmp_path / "lib/systemd/system/perfagent.service").read_text()
    assert "ExecStart=/usr/bin/python3 /usr/lib/perfagent/perfagent.pyz run" in unit
    assert "/usr/local" not in unit


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_each_script_is_good_shell(package: Path, tmp_path: Path, script: str) -> None:
    subprocess.run(["dpkg-deb", "-e", package, tmp_path], check=True)
    assert subprocess.run(["sh", "-n", tmp_path / script], check=False).returncode == 0


def test_a_purge_removes_settings_and_spool() -> None:
    assert "rm -rf /etc/perfagent /var/lib/perfagent /var/lib/private/perfagent" in debian._POSTRM
