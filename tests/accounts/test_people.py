"""accounts.people: invitations, roles, switching off and on, new passwords; the last Admin stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypedDict

import pytest
from django.db import connection
from django.utils import timezone
from django_tenants.utils import schema_context
from pytest_django import DjangoDbBlocker

from accounts import links, people, sessions, tokens
from accounts.models import AuditEvent, Link, LinkKind, Role, Scope, User
from core.errors import ServiceError
from core.keys import Secret, generate
from tests.cast import PASSWORD, Cast, open_cast


class Actor(TypedDict):
    actor: str
    ip: str | None


ACTOR: Actor = {"actor": "admin@alpha.example", "ip": None}
FRESH = "a much better horse 7"


@pytest.fixture
def analyst(alpha: Cast) -> Iterator[User]:
    user = alpha.user(Role.ANALYST)
    with schema_context(alpha.schema):
        yield user


@pytest.fixture
def admin(alpha: Cast, analyst: User) -> User:
    return alpha.user(Role.ADMIN)


def invite(email: str = "ann@example.com", role: Role = Role.ANALYST) -> Secret:
    return people.invite(email, role, **ACTOR)


def invitation(secret: Secret) -> Link:
    return links.find(LinkKind.INVITATION, str(secret))


def code(call: Callable[[], object]) -> str:
    with pytest.raises(ServiceError) as raised:
        call()
    return raised.value.code.code


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("event", flat=True))


def test_an_invitation_makes_an_account_of_its_role_once(analyst: User) -> None:
    secret = invite(" Ann@Example.com")
    link = invitation(secret)
    user = people.accept(link, "Ann", FRESH, ip=None)
    assert (user.email, user.name, user.role) == ("ann@example.com", "Ann", Role.ANALYST)
    assert user.check_password(FRESH)
    assert code(lambda: invitation(secret)) == "PEOPLE_003"
    assert code(lambda: people.accept(link, "Eve", FRESH, ip=None)) == "PEOPLE_003"
    assert events()[-2:] == ["user.invited", "user.joined"]


def test_a_secret_is_only_stored_as_a_hash(analyst: User) -> None:
    secret = invite()
    assert secret.secret not in repr([*Link.objects.values(), *AuditEvent.objects.values()])


@pytest.mark.parametrize("dead", [{"expires_at": timezone.now()}, {"revoked_at": timezone.now()}, {"digest": "0" * 64}])
def test_a_dead_link_is_an_unknown_one(analyst: User, dead: dict[str, Any]) -> None:
    secret = invite()
    Link.objects.update(**dead)
    assert code(lambda: invitation(secret)) == "PEOPLE_003"


def test_a_link_is_of_its_kind_only(analyst: User) -> None:
    secret = invite()
    assert code(lambda: links.find(LinkKind.RESET, str(secret))) == "PEOPLE_003"


@pytest.mark.parametrize("text", ["", "x", "pfl_", str(generate("pft")), str(generate("pfl")), "\0" * 64])
def test_what_is_no_link_is_refused(analyst: User, text: str) -> None:
    assert code(lambda: links.find(LinkKind.INVITATION, text)) == "PEOPLE_003"


def test_a_link_is_worth_nothing_at_another_partner(analyst: User, beta: Cast) -> None:
    """Trap 26."""
    secret = invite()
    with schema_context(beta.schema):
        assert code(lambda: invitation(secret)) == "PEOPLE_003"


def test_a_second_invitation_replaces_the_first(analyst: User) -> None:
    first, second = invite(), invite()
    assert code(lambda: invitation(first)) == "PEOPLE_003"
    assert invitation(second).email == "ann@example.com"


def test_who_has_an_account_is_not_invited(analyst: User) -> None:
    assert code(lambda: invite("ANALYST@alpha.example")) == "PEOPLE_002"


def test_an_account_made_meanwhile_is_said_and_the_invitation_stays(analyst: User) -> None:
    link = invitation(invite())
    User.objects.create_user("ann@example.com", FRESH)
    assert code(lambda: people.accept(link, "Ann", FRESH, ip=None)) == "PEOPLE_002"
    assert Link.objects.get().used_at is None


def test_a_withdrawn_invitation_does_not_work(analyst: User) -> None:
    secret = invite()
    people.withdraw(invitation(secret), **ACTOR)
    assert code(lambda: invitation(secret)) == "PEOPLE_003"
    assert events()[-1] == "invitation.withdrawn"


def test_a_new_password_ends_every_session(alpha: Cast, analyst: User) -> None:
    browser = alpha.client(Role.ANALYST)
    secret = people.offer_reset(analyst, **ACTOR)
    assert browser.get("/").status_code == 200
    with schema_context(alpha.schema):
        people.reset_password(links.find(LinkKind.RESET, str(secret)), FRESH, ip=None)
        assert User.objects.get(pk=analyst.pk).check_password(FRESH)
        assert not sessions.of(analyst).exists()
    assert browser.get("/").status_code == 302


def test_a_link_of_a_deactivated_person_is_dead(analyst: User) -> None:
    link = links.find(LinkKind.RESET, str(people.offer_reset(analyst, **ACTOR)))
    User.objects.update(is_active=False)
    assert code(lambda: people.reset_password(link, FRESH, ip=None)) == "PEOPLE_003"
    assert User.objects.get(pk=analyst.pk).check_password(PASSWORD)


def test_a_deactivated_person_loses_sessions_tokens_and_links_for_good(alpha: Cast, analyst: User) -> None:
    browser = alpha.client(Role.ANALYST)
    with schema_context(alpha.schema):
        token = tokens.make(analyst, "x", Scope.READ, 1, ip=None)
        link = people.offer_reset(analyst, **ACTOR)
        people.deactivate(analyst, **ACTOR)
        people.reactivate(analyst, **ACTOR)
        assert tokens.authenticate(token) is None
        assert code(lambda: links.find(LinkKind.RESET, str(link))) == "PEOPLE_003"
        assert events()[-2:] == ["user.deactivated", "user.reactivated"]
    assert browser.get("/").status_code == 302


def test_a_role_change_says_before_and_after(analyst: User) -> None:
    people.change_role(analyst, Role.ADMIN, **ACTOR)
    event = AuditEvent.objects.order_by("id").last()
    assert event is not None
    assert event.detail == {"of": "analyst@alpha.example", "before": "analyst", "after": "admin"}


def test_no_change_is_no_event(analyst: User) -> None:
    people.change_role(analyst, Role.ANALYST, **ACTOR)
    people.reactivate(analyst, **ACTOR)
    assert not {"user.role_changed", "user.reactivated"} & set(events())


def test_the_last_active_admin_stays(admin: User, analyst: User) -> None:
    User.objects.create_user("off@example.com", role=Role.ADMIN, is_active=False)
    assert code(lambda: people.change_role(admin, Role.VIEWER, **ACTOR)) == "PEOPLE_001"
    assert code(lambda: people.deactivate(admin, **ACTOR)) == "PEOPLE_001"
    people.change_role(analyst, Role.ADMIN, **ACTOR)
    people.deactivate(admin, **ACTOR)
    assert code(lambda: people.deactivate(analyst, **ACTOR)) == "PEOPLE_001"


@pytest.fixture
def two_admins(casts: dict[str, Cast], django_db_blocker: DjangoDbBlocker) -> Iterator[list[User]]:
    """Of a partner of its own, committed for other connections to see, and gone after the test."""
    with django_db_blocker.unblock():
        cast = open_cast("duellers")
        try:
            with schema_context(cast.schema):
                User.objects.filter(role=Role.ANALYST).update(role=Role.ADMIN)
                yield list(User.objects.filter(role=Role.ADMIN))
        finally:
            cast.partner.delete(force_drop=True)


def test_of_two_admins_that_demote_each_other_one_stays(two_admins: list[User]) -> None:
    together, results = threading.Barrier(2), []

    def demote(user: User) -> None:
        with schema_context("duellers"):
            together.wait(10)
            try:
                people.change_role(user, Role.VIEWER, **ACTOR)
                results.append("demoted")
            except ServiceError as error:
                results.append(error.code.code)
        connection.close()

    threads = [threading.Thread(target=demote, args=(user,)) for user in two_admins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == ["PEOPLE_001", "demoted"]
    assert User.objects.filter(role=Role.ADMIN).count() == 1
