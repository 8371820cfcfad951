"""Adding a machine by a token, and the agent to download."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django_tenants.utils import schema_context

from accounts.models import Role
from agent.commands import main
from collectors import keys, registry
from collectors.models import EnrolmentToken
from tests.cast import Cast
from tests.samples import csv, recent

FIELDS = {"hours": "2", "uses": "1"}


def made(cast: Cast) -> tuple[str, keys.Secret]:
    text = cast.client(Role.ADMIN).post("/add/token", FIELDS).content.decode()
    token = keys.parse(re.findall(r"pfe_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", text)[0])
    assert token
    return text, token


def test_the_line_to_paste_names_portal_and_token(alpha: Cast) -> None:
    text, token = made(alpha)
    assert f"python3 perfagent.pyz enrol http://alpha.localhost {token}" in text
    assert "python3 perfagent.pyz run" in text


def test_the_token_is_shown_once(alpha: Cast) -> None:
    _, token = made(alpha)
    text = alpha.client(Role.ADMIN).get("/add").content.decode()
    assert token.secret not in text
    assert token.public_id[:6] in text


def test_nonsense_makes_no_token(alpha: Cast) -> None:
    client = alpha.client(Role.ADMIN)
    for fields in ({"hours": "0", "uses": "1"}, {"hours": "2", "uses": "100000"}, {"hours": "x", "uses": ""}):
        assert 'role="alert"' in client.post("/add/token", fields).content.decode()
    with schema_context(alpha.schema):
        assert not EnrolmentToken.objects.exists()


def test_the_page_turns_green_at_the_first_batch(alpha: Cast) -> None:
    _, token = made(alpha)
    client = alpha.client(Role.ADMIN)
    address = f"/add/token/{token.public_id}"
    assert "Waiting for the machine to register" in client.get(address).content.decode()
    answer = alpha.client().post(
        "/api/v1/collectors/register",
        {"machine_id": "fresh-1"},
        content_type="application/json",
        headers={"authorization": f"Bearer {token}"},
    )
    assert "waiting for its first samples" in client.get(address).content.decode()
    alpha.client().post(
        "/api/v1/performance/upload",
        csv(recent(0.1), [1.0, 2.0]),
        content_type="text/csv",
        headers={"authorization": f"Bearer {answer.json()['api_key']}"},
    )
    text = client.get(address).content.decode()
    assert 'class="arrival done"' in text
    assert "hx-get" not in text


def test_machines_of_other_tokens_do_not_appear(alpha: Cast) -> None:
    _, first = made(alpha)
    _, second = made(alpha)
    with schema_context(alpha.schema):
        registry.register_with_token(second, "second-1", "", ip=None)
    assert "second-1" not in alpha.client(Role.ADMIN).get(f"/add/token/{first.public_id}").content.decode()


def test_a_revoked_token_is_not_listed_and_does_nothing(alpha: Cast) -> None:
    _, token = made(alpha)
    client = alpha.client(Role.ADMIN)
    assert client.post(f"/add/token/{token.public_id}/revoke").status_code == 302
    assert token.public_id[:6] not in client.get("/add").content.decode()
    with schema_context(alpha.schema):
        assert not EnrolmentToken.objects.filter(revoked_at__isnull=True).exists()


def test_the_agent_can_be_fetched_without_signing_in(alpha: Cast, settings: Any, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    missing = alpha.client().get("/download/perfagent.pyz")
    assert missing.status_code == 404
    assert "make agent" in missing.content.decode()
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "perfagent.pyz").write_bytes(b"PK agent")
    answer = alpha.client().get("/download/perfagent.pyz")
    assert answer.content == b"PK agent"
    assert answer["Content-Type"] == "application/zip"


def test_the_page_tells_of_relay_curl_and_history_with_this_portals_address(alpha: Cast) -> None:
    text = alpha.client(Role.ADMIN).get("/add").content.decode()
    assert "PERFAGENT_URL=http://alpha.localhost perfagent relay" in text
    assert "http://alpha.localhost/api/v1/performance/upload" in text
    assert "perfagent import-sar --upload" in text
    assert "perfagent.pyz ctl upload history.csv" in text


def test_every_command_on_the_page_is_one_of_the_agent(alpha: Cast, capsys: pytest.CaptureFixture[str]) -> None:
    text = alpha.client(Role.ADMIN).get("/add").content.decode() + made(alpha)[0]
    named = set(re.findall(r"perfagent(?:\.pyz)? ([a-z-]+)", text))
    assert named == {"enrol", "run", "relay", "import-sar", "ctl"}
    with pytest.raises(SystemExit):
        main(["--help"])
    known = capsys.readouterr().out.split()
    assert all(name in known for name in named)
