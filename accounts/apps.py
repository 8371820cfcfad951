from django.apps import AppConfig

from core import documents


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        documents.add("roles.md", _roles)


def _roles() -> str:
    from accounts import roles  # models cannot be imported before every app is there

    intro = (
        "# Roles\n\nWho may do what, from `accounts/roles.py`. A personal token acts as its user, with the role of that"
        " moment; with the scope `read` only GET and HEAD. Another customer's people and keys may do nothing here.\n\n"
    )
    return intro + documents.table(roles.head(), roles.rows())
