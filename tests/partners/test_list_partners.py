"""manage.py list_partners"""

from __future__ import annotations

from datetime import date

import pytest
from django.core.management import call_command

from partners.models import Domain, Partner
from tests.cast import Cast


def test_it_lists_every_partner_with_state_and_hosts(
    alpha: Cast, beta: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    Domain(domain="alpha.example", tenant=alpha.partner, is_primary=False).save()
    Partner.objects.filter(schema_name="beta").update(paid_until=date(2020, 1, 31), retention_days=30)
    call_command("list_partners")
    first, second = capsys.readouterr().out.splitlines()
    assert " ".join(first.split()) == "alpha open paid until no end 90 days alpha.localhost,alpha.example"
    assert " ".join(second.split()) == "beta closed paid until 2020-01-31 30 days beta.localhost"


def test_the_operator_and_a_suspended_partner_are_told_apart(
    alpha: Cast, beta: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    Partner.objects.filter(schema_name="alpha").update(is_operator=True)
    Partner.objects.filter(schema_name="beta").update(active=False)
    call_command("list_partners")
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["operator", "closed"]
