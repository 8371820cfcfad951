"""The cast: two partners made once per run, with people of each role and one machine each.

Alpha's people own what the tests do; Beta's must never see it.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.test import Client

from accounts.models import Role, User
from accounts.opening import Opening, open_partner
from collectors import registry
from collectors.models import Collector
from core.tenancy import schema_context
from partners.models import Partner

PASSWORD = "correct horse battery"
MACHINE = "server1"


@dataclass(frozen=True)
class Cast:
    """One partner and its people; `key` is the bearer key of its machine `server1`."""

    partner: Partner
    host: str
    key: str

    @property
    def schema(self) -> str:
        return str(self.partner.schema_name)

    def user(self, role: Role) -> User:
        with schema_context(self.schema):
            return User.objects.get(email=f"{role}@{self.schema}.example")

    def collector(self) -> Collector:
        with schema_context(self.schema):
            return Collector.objects.get(machine_id=MACHINE)

    def client(self, role: Role | None = None, *, enforce_csrf_checks: bool = False) -> Client:
        """A browser at this partner's host, signed in as the role."""
        client = Client(enforce_csrf_checks=enforce_csrf_checks, headers={"host": self.host})
        if role is not None:
            with schema_context(self.schema):
                client.force_login(self.user(role))
        return client

    def machine_client(self) -> Client:
        """The agent of `server1`."""
        return Client(headers={"host": self.host, "authorization": f"Bearer {self.key}"})


def open_cast(name: str, *, is_operator: bool = False) -> Cast:
    host = f"{name}.localhost"
    opening = Opening(
        name, host, f"admin@{name}.example", PASSWORD, title=name.capitalize(), is_operator=is_operator
    )  # fmt: skip
    partner = open_partner(opening)
    with schema_context(name):
        for role in (Role.ANALYST, Role.VIEWER):
            User.objects.create_user(f"{role}@{name}.example", PASSWORD, role=role)
        _, key = registry.register(MACHINE, MACHINE, actor="test", ip=None)
    return Cast(partner, host, str(key))
