"""Builds dist/perfagent_VERSION_all.deb with dpkg-deb: `python -m deploy.debian [FOLDER]`. The same bytes every time.

The settings are no conffile: `perfagent enrol` writes them; until then the condition of the unit keeps it quiet.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from agent import __version__
from agent.build import ROOT
from agent.build import build as build_archive

_PROGRAM = "/usr/lib/perfagent/perfagent.pyz"
_EPOCH = "315532800"
"""1980: the date of everything in the package, as in the zipapp."""

_CONTROL = f"""\
Package: perfagent
Version: {__version__}
Architecture: all
Maintainer: PerfAnalysis
Depends: python3 (>= 3.9)
Section: admin
Priority: optional
Description: agent of PerfAnalysis: measures this server and uploads the samples
 Reads /proc and /sys, keeps its samples in a durable spool and sends each exactly once.
 After the installation: perfagent enrol https://HOST TOKEN
"""
_POSTINST = """\
#!/bin/sh
set -e
if [ "$1" = configure ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable --quiet perfagent.service
    systemctl restart perfagent.service
elif [ "$1" = configure ] && command -v systemctl >/dev/null; then
    systemctl enable --quiet perfagent.service
fi
if [ "$1" = configure ] && [ ! -e /etc/perfagent/agent.conf ]; then
    echo 'Now register this machine: perfagent enrol https://HOST TOKEN && systemctl restart perfagent'
fi
"""
_PRERM = """\
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl disable --now --quiet perfagent.service
elif [ "$1" = remove ] && command -v systemctl >/dev/null; then
    systemctl disable --quiet perfagent.service
fi
"""
_POSTRM = """\
#!/bin/sh
set -e
if [ "$1" = purge ]; then
    rm -rf /etc/perfagent /var/lib/perfagent /var/lib/private/perfagent
fi
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
"""


def unit() -> str:
    """The unit of deploy/, with the place that a package has for its program."""
    text = (ROOT / "deploy/perfagent.service").read_text(encoding="utf-8")
    return text.replace("/usr/local/lib/perfagent/", "/usr/lib/perfagent/")


def contents() -> dict[str, tuple[int, str]]:
    """Mode and text by path, the archive left out."""
    return {
        "DEBIAN/control": (0o644, _CONTROL),
        "DEBIAN/postinst": (0o755, _POSTINST),
        "DEBIAN/prerm": (0o755, _PRERM),
        "DEBIAN/postrm": (0o755, _POSTRM),
        "usr/bin/perfagent": (0o755, f'#!/bin/sh\nexec /usr/bin/python3 {_PROGRAM} "$@"\n'),
        "lib/systemd/system/perfagent.service": (0o644, unit()),
    }


def build(folder: Path) -> Path:
    """The package in that folder; CalledProcessError with dpkg-deb's words when it cannot be made."""
    target = folder.resolve() / f"perfagent_{__version__}_all.deb"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "perfagent"
        _lay_out(tree)
        command = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(tree), str(target)]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": _EPOCH}
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return target


def _lay_out(tree: Path) -> None:
    """Modes do not depend on the umask of whoever builds."""
    for name, (mode, text) in contents().items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
    archive = tree / _PROGRAM.lstrip("/")
    archive.parent.mkdir(parents=True, exist_ok=True)
    build_archive(archive)
    for path in (tree, *tree.rglob("*/")):
        if path.is_dir():
            path.chmod(0o755)


def main(arguments: list[str]) -> int:
    target = build(Path(arguments[0]) if arguments else ROOT / "dist")
    sys.stdout.write(f"{target} ({target.stat().st_size} bytes)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
