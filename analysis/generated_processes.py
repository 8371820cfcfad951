"""The busiest processes of a generated machine: what it is for, sharing out its CPU and memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.generated_fleet import Machine
from analysis.generated_signals import MINUTE, Instants, Values, seed_of, wander

SECONDS = 300


@dataclass(frozen=True)
class Program:
    """Its share of what the machine's CPUs are busy with, and of the memory in use."""

    name: str
    user: str
    cpu: float
    memory: float


_SYSTEM = (
    Program("systemd", "root", 0.01, 0.002), Program("journald", "root", 0.02, 0.008),
    Program("perfagent", "perfagent", 0.002, 0.001),
)  # fmt: skip
_PROGRAMS = (
    ("Web", (Program("nginx", "www-data", 0.3, 0.1), Program("gunicorn", "www-data", 0.46, 0.6),
             Program("redis-server", "redis", 0.08, 0.1))),
    ("Shop", (Program("java", "shop", 0.72, 0.75), Program("nginx", "www-data", 0.1, 0.03))),
    ("PostgreSQL", (Program("postgres: checkpointer", "postgres", 0.06, 0.2),
                    Program("postgres: app orders", "postgres", 0.55, 0.4),
                    Program("postgres: walwriter", "postgres", 0.1, 0.1))),
    ("MariaDB", (Program("mariadbd", "mysql", 0.82, 0.85),)),
    ("Nightly", (Program("billing", "batch", 0.6, 0.55), Program("gzip", "batch", 0.2, 0.01),
                 Program("rsync", "root", 0.08, 0.01))),
    ("Build", (Program("cc1plus", "ci", 0.6, 0.4), Program("ld", "ci", 0.15, 0.2), Program("ninja", "ci", 0.02, 0.01))),
    ("Mail", (Program("rspamd", "_rspamd", 0.4, 0.3), Program("dovecot", "dovecot", 0.25, 0.1),
              Program("postfix", "postfix", 0.1, 0.03))),
    ("File", (Program("smbd", "root", 0.7, 0.3), Program("nfsd", "root", 0.15, 0.0))),
    ("Backup", (Program("restic", "backup", 0.75, 0.5), Program("sshd", "root", 0.12, 0.02))),
    ("Old ERP", (Program("erpd", "erp", 0.88, 0.8),)),
    ("Monitoring", (Program("prometheus", "prometheus", 0.6, 0.7), Program("grafana", "grafana", 0.2, 0.1))),
)  # fmt: skip
_OTHERS = (Program("python3", "app", 0.6, 0.5), Program("nginx", "www-data", 0.15, 0.05))


def programs(machine: Machine) -> tuple[Program, ...]:
    own = next((found for kind, found in _PROGRAMS if machine.kind.startswith(kind)), _OTHERS)
    return (*own, *_SYSTEM)


def processes(machine: Machine, at: Instants, busy: Values, used_mb: Values) -> dict[int, dict[str, object]]:
    """pid → columns. busy: percent of all CPUs; the CPU of a process is in percent of one core, as the agent has it."""
    found: dict[int, dict[str, object]] = {}
    for program in programs(machine):
        seed = seed_of(machine.machine_id, "process", program.name)
        share = program.cpu * (1 + 0.08 * wander(seed, at, 20 * MINUTE))
        found[300 + seed % 30_000] = {
            "name": program.name,
            "user": program.user,
            "cpu": np.round(busy * machine.cores * share, 1),
            "rss_mb": np.round(used_mb * program.memory + 4, 1),
        }
    return found
