"""Builds dist/perfagent.pyz: `python -m agent.build [TARGET]`. The same sources give the same bytes."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).resolve().parent.parent
_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest a zip file can hold; the real ones would differ with every checkout."""
_MAIN = b"import sys\n\nfrom agent.commands import main\n\nsys.exit(main(sys.argv[1:]))\n"
_CORE_INIT = b'"""The metric catalogue and the CSV batch format."""\n'


def entries() -> Iterator[tuple[str, bytes]]:
    """Names and contents, in the archive's order."""
    found = {"__main__.py": _MAIN, "core/__init__.py": _CORE_INIT}
    for path in [*ROOT.glob("agent/**/*.py"), ROOT / "core/batch.py", ROOT / "core/catalogue.py"]:
        found[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    return iter(sorted(found.items()))


def build(target: Path) -> None:
    """A zip that Python runs; stored as it is where deflate would depend on the zlib of the day."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in entries():
                info = zipfile.ZipInfo(name, _DATE)
                info.external_attr = 0o644 << 16
                info.create_system = 3
                archive.writestr(info, content)
    target.chmod(0o755)


def main(arguments: list[str]) -> int:
    target = Path(arguments[0]) if arguments else ROOT / "dist" / "perfagent.pyz"
    build(target)
    print(f"{target} ({target.stat().st_size} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
