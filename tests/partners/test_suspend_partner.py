"""manage.py suspend_partner NAME [--resume]"""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Role
from core.tenancy import leave_tenant
from tests import samples
from tests.cast import Cast


def test_a_suspended_partner_answers_403_at_once_and_keeps_its_data(
    alpha: Cast, beta: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    samples.upload(alpha, {"timestamp": [samples.recent()], "cpu_user": [1.0]})
    client = alpha.client(Role.VIEWER)
    codes = [client.get("/api/v1/collectors").status_code]
    leave_tenant()
    call_command("suspend_partner", "alpha")
    codes.append(client.get("/api/v1/collectors").status_code)
    assert beta.client(Role.VIEWER).get("/api/v1/collectors").status_code == 200
    leave_tenant()
    call_command("suspend_partner", "alpha", resume=True)
    codes.append(client.get("/api/v1/collectors").status_code)
    assert codes == [200, 403, 200]
    assert samples.count(alpha) == 1
    assert capsys.readouterr().out == "alpha is suspended.\nalpha is open.\n"


def test_an_unknown_partner_is_an_error(alpha: Cast) -> None:
    with pytest.raises(CommandError, match="There is no partner nobody"):
        call_command("suspend_partner", "nobody")
