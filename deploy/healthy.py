"""Health checks inside the image, which has no curl: an address that answers 200, or a file that is touched often.

python deploy/healthy.py http://127.0.0.1:8000/api/v1/status
python deploy/healthy.py /tmp/worker-alive 120
"""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from pathlib import Path


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=4) as answer:  # noqa: S310  # the address is in the compose file
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def is_recent(path: Path, seconds: float) -> bool:
    return path.exists() and time.time() - path.stat().st_mtime < seconds


if __name__ == "__main__":
    target, *rest = sys.argv[1:]
    healthy = is_recent(Path(target), float(rest[0])) if rest else answers(target)
    sys.exit(0 if healthy else 1)
