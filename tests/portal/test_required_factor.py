"""A tenant that asks everybody for a second factor: who has none sets one up, and does nothing else before."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts import factors, tenant_settings, tokens
from accounts.models import Role, Scope
from core.tenancy import schema_context
from tests.cast import PASSWORD, Cast
from tests.portal.test_second_factor import code, give_app, password_step, set_up, signed_in

SWITCH = {"part": "second-factor", "require_mfa": "on"}


def require(cast: Cast) -> None:
    with schema_context(cast.schema):
        tenant_settings.change(actor="test", ip=None, require_mfa=True)


def is_required(cast: Cast) -> bool:
    with schema_context(cast.schema):
        return bool(tenant_settings.read().require_mfa)


@pytest.fixture
def without(alpha: Cast) -> Client:
    """The browser of a Viewer without a second factor, signed in before it was asked for."""
    client = signed_in(alpha)
    require(alpha)
    return client


@pytest.mark.parametrize("path", ["/", "/machines/server1", "/tokens", "/tokens/make", "/reports"])
def test_pages_lead_to_set_one_up(path: str, without: Client) -> None:
    answer = without.get(path)
    if path == "/reports":  # a Viewer may not see it anyway
        assert answer.status_code == 403
        return
    assert (answer.status_code, answer["Location"]) == (302, "/security")


def test_an_admin_without_one_changes_nothing(alpha: Cast) -> None:
    client = signed_in(alpha, Role.ADMIN)
    require(alpha)
    answer = client.post("/manage/settings", {"part": "second-factor"})
    assert answer["Location"] == "/security"
    assert is_required(alpha)


def test_a_poll_moves_the_whole_page(without: Client) -> None:
    assert without.get("/", headers={"HX-Request": "true"})["HX-Redirect"] == "/security"


def test_the_api_refuses_the_session(without: Client) -> None:
    answer = without.get("/api/v1/collectors")
    assert (answer.status_code, answer.json()["code"]) == (403, "AUTH_006")


def test_a_personal_token_goes_on_working(alpha: Cast, without: Client) -> None:
    with schema_context(alpha.schema):
        secret = tokens.make(alpha.user(Role.VIEWER), "job", Scope.READ, 1, ip=None)
    client = Client(headers={"host": alpha.host, "authorization": f"Bearer {secret}"})
    assert client.get("/api/v1/collectors").status_code == 200


def test_setting_one_up_opens_everything(without: Client) -> None:
    assert "asks everybody for a second factor" in without.get("/security").content.decode()
    set_up(without)
    assert without.get("/").status_code == 200
    assert without.get("/api/v1/collectors").status_code == 200
    assert "asks everybody" not in without.get("/security").content.decode()


def test_signing_in_with_one_opens_everything(alpha: Cast) -> None:
    require(alpha)
    give_app(alpha, Role.VIEWER)
    client = password_step(alpha)
    client.post("/sign-in/factor", {"code": code()})
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(("proof", "opens"), [({"code": ""}, True), ({"password": PASSWORD}, False)], ids=str)
def test_a_session_of_before_is_opened_by_the_factor_alone(proof: dict[str, str], opens: bool, alpha: Cast) -> None:
    client = alpha.client(Role.VIEWER)
    give_app(alpha, Role.VIEWER)
    require(alpha)
    client.post("/confirm", {"code": code()} if opens else proof)
    assert client.get("/").status_code == (200 if opens else 302)


def test_removing_the_last_one_closes_it_again(alpha: Cast, without: Client) -> None:
    set_up(without)
    with schema_context(alpha.schema):
        app = factors.of(alpha.user(Role.VIEWER)).app
    assert app is not None
    without.post(f"/security/{app.pk}/remove")
    assert without.get("/")["Location"] == "/security"


def test_signing_out_is_possible(without: Client) -> None:
    assert without.post("/sign-out")["Location"] == "/sign-in"


def test_it_is_the_tenants_own(alpha: Cast, beta: Cast) -> None:
    require(alpha)
    assert beta.client(Role.VIEWER).get("/").status_code == 200


def test_only_an_admin_who_has_one_turns_it_on(alpha: Cast) -> None:
    client = signed_in(alpha, Role.ADMIN)
    assert "Set up a second factor of your own first" in client.post("/manage/settings", SWITCH).content.decode()
    assert not is_required(alpha)
    set_up(client)
    assert client.post("/manage/settings", SWITCH).status_code == 302
    assert is_required(alpha)
    assert client.post("/manage/settings", {"part": "second-factor"}).status_code == 302
    assert not is_required(alpha)
