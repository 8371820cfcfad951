"""manage.py reset_second_factor"""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts import factors
from accounts.models import AuditEvent, Role
from core.tenancy import leave_tenant, schema_context
from tests.cast import Cast

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def run(*arguments: str) -> str:
    leave_tenant()  # a request of the test before it stays in its tenant
    out = StringIO()
    call_command("reset_second_factor", *arguments, stdout=out)
    return out.getvalue()


def test_it_removes_them_and_signs_out(alpha: Cast, beta: Cast) -> None:
    client = alpha.client(Role.ADMIN)
    with schema_context(alpha.schema):
        factors.add_app(alpha.user(Role.ADMIN), SECRET, ip=None)
    assert "Removed" in run("alpha", " Admin@alpha.example")
    assert client.get("/").status_code == 302
    with schema_context(alpha.schema):
        assert not factors.has_any(alpha.user(Role.ADMIN))
        event = AuditEvent.objects.get(event="factors.reset")
    assert event.detail == {"of": "admin@alpha.example"}
    assert "There was none" in run("alpha", "admin@alpha.example")


@pytest.mark.parametrize("wrong", [("nobody", "admin@alpha.example"), ("alpha", "admin@beta.example")])
def test_unknown_names_are_refused(wrong: tuple[str, str], alpha: Cast, beta: Cast) -> None:
    with pytest.raises(CommandError, match="There is no"):
        run(*wrong)
