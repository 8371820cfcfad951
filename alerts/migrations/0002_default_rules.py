"""Every customer, new or old, begins with the rules of defaults.yaml, to be changed or deleted as they like."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from alerts import handling, rules_file


def install(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    model = apps.get_model("alerts", "Rule")
    there = {field.name for field in model._meta.get_fields()}
    for rule in rules_file.read(handling.DEFAULTS.read_text()):
        model.objects.create(**{name: getattr(rule, name) for name in rules_file.FIELDS if name in there})


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial")]
    operations = [migrations.RunPython(install, migrations.RunPython.noop)]
