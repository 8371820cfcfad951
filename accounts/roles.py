"""Who may do what: the one matrix. Checks of pages and API, the menu and docs/roles.md come from it.

A role may do all that the roles below it may. `machine` and `enrolment` are callers of the API without a person.
"""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import Role, User


@dataclass(frozen=True)
class Action:
    """Something that can be done: the least role of a person (None: no person may), and whether a machine may.

    visitor: whether the platform's operator, inside this tenant for a while with a role, may do it as that role may.
    """

    name: str
    least: Role | None
    sentence: str
    machine: bool = False
    enrolment: bool = False
    visitor: bool = True

    def allows(self, caller: object) -> bool:
        """Whether a person may; a machine's key and an enrolment token are the API's to recognise."""
        if self.least is None or not isinstance(caller, User):
            return False
        return caller.has_role(self.least) and (self.visitor or not caller.is_visitor)


SEE = Action("see", Role.VIEWER, "Fleet, machines, charts; read series and the list of machines.")
SIGN_OUT = Action("sign_out", Role.VIEWER, "Sign out; a visitor leaves.")
OWN_ACCOUNT = Action("own_account", Role.VIEWER, "Own password, second factors and sessions.", visitor=False)
OWN_TOKENS = Action("own_tokens", Role.VIEWER, "Own API tokens: list, make, revoke.", visitor=False)
EXPORT = Action("export", Role.ANALYST, "Export samples.")
ANNOTATE = Action("annotate", Role.ANALYST, "Note deploys and other changes, drawn on the charts; delete such notes.")
ALERTS = Action(
    "alerts", Role.ANALYST, "Acknowledge alerts; make, change and delete rules and silences; everybody sees them."
)
REPORTS = Action("reports", Role.ANALYST, "Ask for reports, schedule, read, share and delete them.")
MACHINES = Action("machines", Role.ADMIN, "See the keys of machines; change tags; retire machines.")
REGISTER = Action("register", Role.ADMIN, "Register a machine.", enrolment=True)
ROTATE = Action("rotate", Role.ADMIN, "Give a machine a new key; a machine only itself.", machine=True)
ENROL = Action("enrol", Role.ADMIN, "Make and revoke enrolment tokens.")
UPLOAD = Action("upload", Role.ADMIN, "Upload samples; a machine only its own.", machine=True)
PEOPLE = Action("people", Role.ADMIN, "Invite people, change roles, deactivate, offer a new password.")
ALL_TOKENS = Action("all_tokens", Role.ADMIN, "See and revoke everybody's API tokens.")
AUDIT = Action("audit", Role.ADMIN, "Read and export the audit log.")
CHANNELS = Action("channels", Role.ADMIN, "See, make, test, change and delete the channels that alerts are told by.")
SETTINGS = Action(
    "settings", Role.ADMIN, "Change this partner's name, brand and time zone, and how long samples are kept."
)
IDENTITY_PROVIDER = Action(
    "identity_provider", Role.ADMIN, "Let people sign in with an identity provider.", visitor=False
)
VISITS = Action("visits", Role.ADMIN, "See the operator's visits here, and end one.")
OPERATE = Action(
    "operate", Role.ADMIN, "At the operator's own host alone: see, open, suspend and close partners; enter one.",
    visitor=False,
)  # fmt: skip

MATRIX = (
    SEE, SIGN_OUT, OWN_ACCOUNT, OWN_TOKENS, EXPORT, ANNOTATE, ALERTS, REPORTS, MACHINES, REGISTER, ROTATE, ENROL,
    UPLOAD, PEOPLE, ALL_TOKENS, AUDIT, CHANNELS, SETTINGS, IDENTITY_PROVIDER, VISITS, OPERATE,
)  # fmt: skip


def head() -> tuple[str, ...]:
    return ("action", "what", *(role.label for role in Role), "machine's key", "enrolment token", "operator's visitor")


def rows() -> list[tuple[str, ...]]:
    """The matrix as cells of the table below `head`."""
    return [
        (f"`{action.name}`", action.sentence, *(_mark(role.reaches(action.least)) for role in Role),
         _mark(action.machine), _mark(action.enrolment), "as the role" if action.visitor else "")
        for action in MATRIX
    ]  # fmt: skip


def _mark(may: bool) -> str:
    return "yes" if may else ""
