"""What people do with rules and alerts. Each is one transaction and one line of the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from accounts import audit
from alerts import rules, rules_file
from alerts.models import Alert, AlertChange, Rule, State, What

DEFAULTS = Path(__file__).with_name("defaults.yaml")


def save_rule(rule: Rule, *, actor: str, ip: str | None) -> None:
    """New or changed; ValidationError, by field, when it makes no sense or its name is taken."""
    found: dict[str, list[str]] = {}
    for one in rules.complaints(rule):
        found.setdefault(one.field, []).append(one.sentence)
    if Rule.objects.filter(name=rule.name).exclude(pk=rule.pk).exists():
        found.setdefault("name", []).append("Another rule has this name.")
    if found:
        raise ValidationError(found)
    event = "alert_rule.changed" if rule.pk else "alert_rule.created"
    rule.changed_at, rule.changed_by = timezone.now(), actor
    with transaction.atomic():
        rule.save()
        audit.record(event, user=actor, ip=ip, rule=rule.name)


def delete_rule(rule: Rule, *, actor: str, ip: str | None) -> None:
    """Its alerts stay in the history; open ones are closed by the next run."""
    with transaction.atomic():
        audit.record("alert_rule.deleted", user=actor, ip=ip, rule=rule.name)
        rule.delete()


def import_rules(text: str, *, actor: str, ip: str | None) -> list[Rule]:
    """Those of a file, all or none: one of a known name is changed, the others are new. RulesFileError says why not."""
    wanted = rules_file.read(text)
    with transaction.atomic():
        known = dict(Rule.objects.select_for_update().values_list("name", "pk"))
        made = dict(Rule.objects.values_list("pk", "created_at"))
        for rule in wanted:
            rule.pk = known.get(rule.name)
            rule.created_at = made.get(rule.pk, rule.created_at)
            rule.changed_at, rule.changed_by = timezone.now(), actor
            rule.save(force_update=rule.pk is not None, force_insert=rule.pk is None)
        audit.record("alert_rules.imported", user=actor, ip=ip, rules=len(wanted))
    return wanted


def export_rules(wanted: Sequence[Rule] | None = None) -> str:
    """YAML of those rules, of all when none are given."""
    return rules_file.write(list(Rule.objects.order_by("id")) if wanted is None else wanted)


def acknowledge(alert: Alert, *, actor: str, ip: str | None, note: str = "") -> bool:
    """Somebody is at it: no repeats, no escalation. False when it is not firing (any more)."""
    return _move(alert, State.FIRING, State.ACKNOWLEDGED, What.ACKNOWLEDGED, actor, ip, note)


def withdraw(alert: Alert, *, actor: str, ip: str | None, note: str = "") -> bool:
    """Nobody is at it any more: it fires again. False when it was not acknowledged."""
    return _move(alert, State.ACKNOWLEDGED, State.FIRING, What.REOPENED, actor, ip, note)


def _move(alert: Alert, before: State, after: State, what: What, actor: str, ip: str | None, note: str) -> bool:
    now = timezone.now()
    with transaction.atomic():
        row = Alert.objects.select_for_update().get(pk=alert.pk)
        if row.state != before:
            return False
        is_taken = after == State.ACKNOWLEDGED
        row.state, row.acknowledged_by = after, actor if is_taken else ""
        row.acknowledged_at = now if is_taken else None
        row.save(update_fields=("state", "acknowledged_at", "acknowledged_by"))
        _note(row, what, now, actor, note)
        audit.record(f"alert.{what}", user=actor, ip=ip, alert=row.public_id, rule=row.rule_name)
    alert.refresh_from_db()
    return True


def _note(alert: Alert, what: What, now: datetime, actor: str, note: str) -> None:
    AlertChange.objects.create(
        alert=alert, what=what, at=now, moment=now, by=actor, note=note[:500], evidence=alert.evidence
    )
