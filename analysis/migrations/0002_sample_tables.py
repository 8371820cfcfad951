"""The sample tables as the catalogue declares them, and the partitions of this month and the next three.

A later metric is a later migration with this same operation and the catalogue's new fingerprint.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone

from analysis import partitions, tables

CATALOGUE = "36baae694648fde9"


def bring_to_catalogue(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    for statement in tables.statements():
        editor.execute(statement)
    partitions.create(partitions.plan_ahead(timezone.now()))


class Migration(migrations.Migration):
    dependencies = [("analysis", "0001_initial")]
    operations = [migrations.RunPython(bring_to_catalogue, migrations.RunPython.noop)]
