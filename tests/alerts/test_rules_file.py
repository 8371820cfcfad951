"""Rules as YAML: all or nothing, every mistake by its place, and the shipped rules."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml
from django.core.management import CommandError, call_command

from accounts.models import AuditEvent
from alerts import handling, rules, rules_file
from alerts.models import Kind, Rule
from alerts.rules_file import RulesFileError
from core.tenancy import schema_context
from tests.cast import Cast


def mistakes(text: str) -> list[str]:
    with pytest.raises(RulesFileError) as caught:
        rules_file.read(text)
    return caught.value.mistakes


def test_a_new_partner_has_the_shipped_rules_and_they_make_sense(alpha: Cast, beta: Cast) -> None:
    shipped = yaml.safe_load(handling.DEFAULTS.read_text())["rules"]
    for cast in (alpha, beta):
        with schema_context(cast.schema):
            there = list(Rule.objects.order_by("id"))
            assert [rule.name for rule in there] == [rule["name"] for rule in shipped]
            assert all(rule.shipped for rule in there)
            assert [rules.complaints(rule) for rule in there] == [[]] * len(there)


def test_what_is_written_is_read_the_same(inside_alpha: Cast) -> None:
    text = handling.export_rules()
    again = rules_file.read(text)
    assert rules_file.write(again) == text
    assert len(again) == Rule.objects.count()


def test_every_mistake_is_named_by_its_place() -> None:
    text = """
version: 1
rules:
  - {name: a, kind: threshold, quantity: system.psi_cpu_some, threshold: high, colour: red}
  - {name: b, kind: threshold, quantity: nothing, threshold: 5, window_seconds: 1.5}
  - {name: b, kind: no_data, grace_seconds: 900, tags: web, enabled: 1}
  - 7
"""
    assert mistakes(text) == [
        "rules[0].colour: there is no such field.",
        "rules[0].threshold: It is a number.",
        "rules[1].window_seconds: It is a whole number.",
        "rules[1].quantity: There is no 'nothing' for rules of kind threshold.",
        "rules[2].tags: It is a list of words.",
        "rules[2].enabled: It is true or false.",
        "rules[3]: a rule is a mapping.",
        "rules[2].name: 'b' is the name of rules[1] already.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "", "rules: []", "version: 2\nrules: []", "version: 1\nrules: {}", "a: [", "\0",
        "version: 1\nrules: [" + "[" * 3000,
        "version: 1\nrules:\n  - !!python/object/apply:os.system ['true']", "x" * 300_000,
        "version: 1\nrules:\n  - {name: a, kind: threshold, quantity: system.psi_cpu_some, threshold: .nan}",
        "version: 1\nrules:\n  - {name: a, kind: threshold, quantity: [x], threshold: 5}",
    ],
)  # fmt: skip
def test_hostile_and_broken_files_are_refused_with_a_sentence(text: str) -> None:
    assert all(sentence.endswith((".", "'")) or ":" in sentence for sentence in mistakes(text))


RULES = """
version: 1
rules:
  - {name: Machine is silent, kind: no_data, grace_seconds: 1200, severity: warning}
  - {name: New one, kind: threshold, quantity: system.psi_cpu_some, threshold: 70}
"""


def test_an_import_changes_rules_of_the_same_name_and_adds_the_others(inside_alpha: Cast) -> None:
    before = Rule.objects.get(name="Machine is silent")
    count = Rule.objects.count()
    handling.import_rules(RULES, actor="ann@alpha.example", ip=None)
    after = Rule.objects.get(name="Machine is silent")
    assert (after.pk, after.grace_seconds, after.created_at) == (before.pk, 1200, before.created_at)
    assert (Rule.objects.count(), after.changed_by) == (count + 1, "ann@alpha.example")
    assert AuditEvent.objects.get(event="alert_rules.imported").user == "ann@alpha.example"


def test_an_import_with_a_mistake_changes_nothing(inside_alpha: Cast) -> None:
    before = handling.export_rules()
    with pytest.raises(RulesFileError):
        handling.import_rules(RULES + "  - {name: bad, kind: threshold}\n", actor="ann@alpha.example", ip=None)
    assert handling.export_rules() == before


def test_the_command_writes_and_takes_a_file(alpha: Cast, beta: Cast, tmp_path: Path) -> None:
    file, said = tmp_path / "rules.yaml", io.StringIO()
    call_command("alert_rules", "--schema", "alpha", "--export", str(file))
    file.write_text(file.read_text().replace("Machine is silent", "Silent"))
    call_command("alert_rules", "--schema", "beta", "--import", str(file), stdout=said)
    assert "rules taken over" in said.getvalue()
    with schema_context("beta"):
        assert Rule.objects.filter(kind=Kind.NO_DATA).count() == 2
    with schema_context("alpha"):
        assert Rule.objects.filter(kind=Kind.NO_DATA).count() == 1
    with pytest.raises(CommandError, match="exists"):
        call_command("alert_rules", "--schema", "alpha", "--export", str(file))
    file.write_text("version: 1\nrules: [{}]")
    with pytest.raises(CommandError, match=r"rules\[0\]\.name"):
        call_command("alert_rules", "--schema", "beta", "--import", str(file))
    with pytest.raises(CommandError, match="no partner nobody"):
        call_command("alert_rules", "--schema", "nobody", "--export")
