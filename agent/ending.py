"""How a command ends: one sentence on standard error and an exit code, whatever stopped it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Callable


def say(sentence: str, code: int) -> int:
    print(f"perfagent: {sentence}", file=sys.stderr)
    return code


def of(command: Callable[[], int], codes: Mapping[type[Exception], int]) -> int:
    """The command's own exit code; that of its error; 2 for a file, and 0 where the reader of a pipe has left."""
    try:
        code = command()
        sys.stdout.flush()
        return code
    except tuple(codes) as error:
        return say(str(error), next(code for kind, code in codes.items() if isinstance(error, kind)))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except OSError as error:
        return say(f"{error.filename or 'The output'}: {error.strerror or error}.", 2)
