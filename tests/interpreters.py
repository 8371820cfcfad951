"""The agent's tests on every other Python it promises (3.9 to 3.13) that this machine has; says what was skipped.

Usage: python tests/interpreters.py [VERSION …]. Each gets a virtual environment .venv-VERSION with pytest alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
LOCK = ROOT / "tests" / "agent" / "requirements.lock"


def find(version: str) -> str | None:
    """An interpreter of that version: on the PATH, or one of pyenv's."""
    folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *map(str, sorted(folder.glob(f"{version}.*/bin/python")))]
    return next((path for path in candidates if path and _runs(path, version)), None)


def _runs(path: str, version: str) -> bool:
    """A pyenv shim is on the PATH for versions that it then refuses to run."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([path, "-c", program], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == version


def run(version: str, interpreter: str) -> bool:
    home = ROOT / f".venv-{version}"
    python = home / "bin" / "python"
    marker = home / "ready"
    if not marker.exists() or marker.stat().st_mtime < LOCK.stat().st_mtime:
        subprocess.run([interpreter, "-m", "venv", "--clear", home], check=True)
        install: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
        ]
        subprocess.run([*install, "-r", LOCK], check=True)
        marker.touch()
    tests: list[str | Path] = [
        "-m",
        "pytest",
        "-q",
        "-c",
        os.devnull,
        "--rootdir",
        ROOT,
        "--confcutdir",
        ROOT / "tests" / "agent",
    ]
    tests += ["--import-mode=importlib", "-p", "no:cacheprovider", ROOT / "tests" / "agent"]
    return subprocess.run([python, *tests], cwd=ROOT, check=False).returncode == 0


def main(versions: tuple[str, ...]) -> int:
    failed, skipped = [], []
    for version in versions:
        interpreter = find(version)
        if interpreter is None:
            skipped.append(version)
            continue
        print(f"== agent on Python {version}", flush=True)
        if not run(version, interpreter):
            failed.append(version)
    if skipped:
        print(f"skipped: agent on Python {', '.join(skipped)}: not installed here")
    if failed:
        print(f"failed: agent on Python {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    sys.exit(main(tuple(sys.argv[1:]) or tuple(version for version in VERSIONS if version != own)))
