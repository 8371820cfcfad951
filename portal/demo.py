"""What the demo consists of: its partners, people, machines and keys, and the file that remembers them.

Only hashes are in the database, so `demo.json` (mode 0600) is the one place that knows passwords and keys. What it does
not know, or what was changed since, is made anew and said.
"""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth.hashers import check_password
from django.core.management import call_command
from django.utils import timezone
from django_tenants.utils import schema_context

from accounts import audit
from accounts.models import Role, User
from accounts.opening import Opening, open_partner
from analysis.generated_fleet import MACHINES, Machine
from collectors import keys, registry
from collectors.models import Collector, EnrolmentToken
from partners.models import Domain, Partner

RETENTION_DAYS = 730
TOKEN_USES, TOKEN_HOURS = 1000, 10 * 365 * 24
ACTOR = "demo"
ALL_ROLES = (Role.ADMIN, Role.ANALYST, Role.VIEWER)

Say = Callable[[str], None]
Known = Mapping[str, Any]


@dataclass(frozen=True)
class DemoPartner:
    """A partner of the demo; `machine_ids` are registered, each with a key."""

    name: str
    title: str
    roles: tuple[Role, ...] = ALL_ROLES
    machine_ids: tuple[str, ...] = ()
    is_operator: bool = False
    is_generated: bool = False

    @property
    def host(self) -> str:
        return f"{self.name}.localhost"

    def email(self, role: Role) -> str:
        return f"{role}@{self.name}.example"


def this_host() -> str:
    """This machine's name as a machine id."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", platform.node()).lstrip("._-")[:128] or "this-host"


def partners() -> tuple[DemoPartner, ...]:
    return (
        DemoPartner("demo", "Demo", machine_ids=(this_host(),)),
        DemoPartner(
            "sample", "Sample (generated data)", machine_ids=tuple(m.machine_id for m in MACHINES), is_generated=True
        ),
        DemoPartner("operator", "Operator", roles=(Role.ADMIN,), is_operator=True),
    )


def prepare(path: Path, port: int, say: Say) -> dict[str, Any]:
    """Bring database, partners, people and machines to what the demo needs; returns what `path` now holds."""
    known = read(path)
    call_command("migrate_schemas", shared=True, verbosity=0)
    for partner in partners():
        _open(partner, known, say)
    call_command("migrate_schemas", tenant=True, verbosity=0)
    contents = {
        "base_url": f"http://localhost:{port}",
        "partners": {partner.name: _access(partner, port, known, say) for partner in partners()},
    }
    write(path, contents)
    return contents


def read(path: Path) -> dict[str, Any]:
    """What an earlier start wrote; nothing when the file is gone or damaged."""
    try:
        contents = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return contents if isinstance(contents, dict) else {}


def write(path: Path, contents: Known) -> None:
    """Whole or not at all, readable by its owner only."""
    partial = path.with_suffix(".part")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(contents, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _lookup(known: Any, *path: str) -> Any:
    """A value deep in the file, None where any part of the way is missing."""
    for name in path:
        known = known.get(name) if isinstance(known, dict) else None
    return known


def _open(partner: DemoPartner, known: Known, say: Say) -> None:
    """The partner with schema and host; one that a killed start left half-made is completed."""
    found = Partner.objects.filter(schema_name=partner.name).first()
    if found is None:
        say(f"Opening the partner {partner.title} …")
        open_partner(_opening(partner, _password(partner, Role.ADMIN, known)))
        return
    found.create_schema(check_if_exists=True, verbosity=0)
    Domain.objects.get_or_create(domain=partner.host, defaults={"tenant": found})


def _opening(partner: DemoPartner, admin_password: str) -> Opening:
    return Opening(
        partner.name, partner.host, partner.email(Role.ADMIN), admin_password, title=partner.title,
        is_operator=partner.is_operator, is_generated=partner.is_generated, retention_days=RETENTION_DAYS,
    )  # fmt: skip


def _password(partner: DemoPartner, role: Role, known: Known) -> str:
    return str(_lookup(known, "partners", partner.name, "users", role, "password") or secrets.token_urlsafe(12))


def _access(partner: DemoPartner, port: int, known: Known, say: Say) -> dict[str, Any]:
    """The partner's part of the file."""
    access: dict[str, Any] = {"url": f"http://{partner.host}:{port}"}
    with schema_context(partner.name):
        access["users"] = _people(partner, known, say)
        if partner.machine_ids:
            access["enrolment_token"] = _enrolment_token(_lookup(known, "partners", partner.name, "enrolment_token"))
            access["machines"] = _machines(partner, known, say)
    return access


def _people(partner: DemoPartner, known: Known, say: Say) -> dict[str, dict[str, str]]:
    passwords = {role: _password(partner, role, known) for role in partner.roles}
    users = {role: User.objects.filter(email=partner.email(role)).first() for role in partner.roles}
    there = {role: user for role, user in users.items() if user}
    with ThreadPoolExecutor(2) as pool:  # a quarter of a second each, by design
        right = dict(zip(there, pool.map(lambda role: check_password(passwords[role], there[role].password), there),
                         strict=True))  # fmt: skip
    for role, user in users.items():
        if user is None:
            User.objects.create_user(partner.email(role), passwords[role], role=role)
        elif not right[role]:
            passwords[role] = secrets.token_urlsafe(12)
            _reset(user, passwords[role])
            say(f"{user.email} had another password than demo.json knows, and was given a new one.")
    return {str(role): {"email": partner.email(role), "password": passwords[role]} for role in partner.roles}


def _reset(user: User, password: str) -> None:
    user.set_password(password)
    user.save(update_fields=["password"])
    audit.record("password.changed", user=ACTOR, detail_user=user.email)


def _enrolment_token(text: Any) -> str:
    """The known token while it can be used, or a new one."""
    token = keys.parse(str(text))
    usable = EnrolmentToken.objects.filter(uses_left__gt=0, revoked_at__isnull=True, expires_at__gt=timezone.now())
    found = usable.filter(token_id=token.public_id).first() if token else None
    if token and found and token.matches(found.digest):
        return str(token)
    return str(registry.make_enrolment_token(actor=ACTOR, hours=TOKEN_HOURS, uses=TOKEN_USES))


def _machines(partner: DemoPartner, known: Known, say: Say) -> list[dict[str, str]]:
    listed = _lookup(known, "partners", partner.name, "machines")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    known_keys = {str(entry.get("machine_id")): str(entry.get("api_key")) for entry in entries}
    machine_keys = {name: _machine_key(name, known_keys.get(name, ""), say) for name in partner.machine_ids}
    if partner.is_generated:
        _describe(MACHINES)
    return [{"machine_id": name, "api_key": key} for name, key in machine_keys.items() if key]


def _machine_key(machine_id: str, known: str, say: Say) -> str | None:
    """A live key: the known one, one by rotation, or that of a new registration; None for a retired machine."""
    secret = keys.parse(known)
    owner = registry.authenticate(secret) if secret else None
    if owner and owner.machine_id == machine_id:
        return known
    collector = Collector.objects.filter(machine_id=machine_id).first()
    if collector is None:
        return str(registry.register(machine_id, machine_id, actor=ACTOR, ip=None)[1])
    if not collector.active:
        say(f"{machine_id} is retired, and stays so.")
        return None
    say(f"{machine_id} has a new key.")
    return str(registry.rotate(collector, actor=ACTOR, ip=None))


def _describe(machines: tuple[Machine, ...]) -> None:
    """Tags and inventory, where nobody has set any."""
    for machine in machines:
        blank = Collector.objects.filter(machine_id=machine.machine_id, inventory={})
        blank.update(
            hostname=f"{machine.machine_id}.sample.example", tags=list(machine.tags), ip_address=machine.ip_address,
            inventory={"purpose": machine.kind, "os": "Generated data", "cores": machine.cores,
                       "memory_mb": machine.memory_mb},
        )  # fmt: skip
