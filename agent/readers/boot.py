"""/proc/sys/kernel/random/boot_id: a UUID that is new at every boot (drivers/char/random.c)."""

from __future__ import annotations

from agent.readers.files import ParseError, Tree


def read(proc: Tree) -> str:
    return parse(proc.text("sys/kernel/random/boot_id"))


def parse(text: str) -> str:
    boot_id = text.strip()
    if len(boot_id) != 36:
        raise ParseError(f"boot_id is no UUID: {text[:80]!r}")
    return boot_id
