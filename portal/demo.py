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

from accounts import audit
from accounts.models import Role, User
from accounts.opening import Opening, open_partner
from analysis.generated_fleet import MACHINES, Machine
from collectors import keys, registry
from collectors.models import Collector, EnrolmentToken
from core.tenancy import schema_context
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
    passwords = {partner.name: _passwords(partner, known) for partner in partners()}
    call_command("migrate_schemas", shared=True, verbosity=0)
    for partner in partners():
        _open(partner, passwords[partner.name][Role.ADMIN], say)
    call_command("migrate_schemas", tenant=True, verbosity=0)
    contents = {
        "base_url": f"http://localhost:{port}",
        "partners": {
            partner.name: {
                "url": f"http://{partner.host}:{port}",
                **_access(partner, passwords[partner.name], known, say),
            }
            for partner in partners()
        },
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


def _open(partner: DemoPartner, admin_password: str, say: Say) -> None:
    """The partner with schema and host; one that a killed start left half-made is completed."""
    found = Partner.objects.filter(schema_name=partner.name).first()
    if found is None:
        say(f"Opening the partner {partner.title} …")
        open_partner(_opening(partner, admin_password))
        return
    found.create_schema(check_if_exists=True, verbosity=0)
    Domain.objects.get_or_create(domain=partner.host, defaults={"tenant": found})


def _opening(partner: DemoPartner, admin_password: str) -> Opening:
    return Opening(
        partner.name, partner.host, partner.email(Role.ADMIN), admin_password, title=partner.title,
        is_operator=partner.is_operator, is_generated=partner.is_generated, retention_days=RETENTION_DAYS,
    )  # fmt: skip


def _passwords(partner: DemoPartner, known: Known) -> dict[Role, str]:
    """The known password of each role, or a new one."""
    people = {role: _lookup(known, "partners", partner.name, "users", role, "password") for role in partner.roles}
    return {role: str(password or _new_password()) for role, password in people.items()}


def _new_password() -> str:
    return secrets.token_urlsafe(12)


def _access(partner: DemoPartner, passwords: Mapping[Role, str], known: Known, say: Say) -> dict[str, Any]:
    """The partner's part of the file, all but its address."""
    with schema_context(partner.name):
        access: dict[str, Any] = {"users": _people(partner, passwords, say)}
        if partner.machine_ids:
            access["enrolment_token"] = _enrolment_token(_lookup(known, "partners", partner.name, "enrolment_token"))
            access["machines"] = _machines(partner, known, say)
    return access


def _people(partner: DemoPartner, passwords: Mapping[Role, str], say: Say) -> dict[str, dict[str, str]]:
    users = {role: User.objects.filter(email=partner.email(role)).first() for role in partner.roles}
    with ThreadPoolExecutor(2) as pool:  # a quarter of a second each, by design
        right = pool.map(lambda role: _has_password(users[role], passwords[role]), partner.roles)
    kept = dict(passwords)
    for role, is_right in zip(partner.roles, right, strict=True):
        user = users[role]
        if user is None:
            User.objects.create_user(partner.email(role), kept[role], role=role)
        elif not is_right:
            kept[role] = _new_password()
            _set_password(user, kept[role])
            say(f"{user.email} has a new password: the old one was changed, or demo.json lost.")
    return {str(role): {"email": partner.email(role), "password": kept[role]} for role in partner.roles}


def _has_password(user: User | None, password: str) -> bool:
    return user is not None and check_password(password, user.password)


def _set_password(user: User, password: str) -> None:
    user.set_password(password)
    user.save(update_fields=["password"])
    audit.record("password.changed", user=ACTOR, of=user.email)


def _enrolment_token(text: Any) -> str:
    """The known token while it can be used, or a new one."""
    token = keys.parse(str(text))
    usable = EnrolmentToken.objects.filter(uses_left__gt=0, revoked_at__isnull=True, expires_at__gt=timezone.now())
    found = usable.filter(token_id=token.public_id).first() if token else None
    if token and found and token.matches(found.digest):
        return str(token)
    return str(registry.make_enrolment_token(actor=ACTOR, hours=TOKEN_HOURS, uses=TOKEN_USES))


def _machines(partner: DemoPartner, known: Known, say: Say) -> list[dict[str, str]]:
    """The active machines with their keys: known ones, those of a new registration, or new ones by rotation."""
    known_keys = _known_keys(_lookup(known, "partners", partner.name, "machines"))
    there = {collector.machine_id: collector for collector in Collector.objects.all()}
    machine_keys, rotated = {}, []
    for machine_id in partner.machine_ids:
        collector = there.get(machine_id)
        if collector is None:
            machine_keys[machine_id] = str(registry.register(machine_id, machine_id, actor=ACTOR, ip=None)[1])
        elif _is_key_of(known_keys.get(machine_id), machine_id):
            machine_keys[machine_id] = known_keys[machine_id]
        elif collector.active:
            machine_keys[machine_id] = str(registry.rotate(collector, actor=ACTOR, ip=None))
            rotated.append(machine_id)
    if rotated:
        say(f"New keys, for the old ones were revoked or demo.json lost: {', '.join(rotated)}.")
    if partner.is_generated:
        _describe(MACHINES)
    return [{"machine_id": machine_id, "api_key": key} for machine_id, key in machine_keys.items()]


def _known_keys(entries: Any) -> dict[str, str]:
    usable = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {str(entry.get("machine_id")): str(entry.get("api_key")) for entry in usable}


def _is_key_of(text: str | None, machine_id: str) -> bool:
    secret = keys.parse(text or "")
    owner = registry.authenticate(secret) if secret else None
    return owner is not None and owner.machine_id == machine_id


def _describe(machines: tuple[Machine, ...]) -> None:
    """Tags and inventory, where nobody has set any."""
    for machine in machines:
        blank = Collector.objects.filter(machine_id=machine.machine_id, inventory={})
        blank.update(
            hostname=f"{machine.machine_id}.sample.example", tags=list(machine.tags), ip_address=machine.ip_address,
            inventory={"purpose": machine.kind, "os": "Generated data", "cores": machine.cores,
                       "memory_mb": machine.memory_mb},
        )  # fmt: skip
