"""The roll-up tables as the catalogue declares them; rolling up begins with the oldest month that is stored.

A later metric is a later migration with this same operation, which brings the sample tables along, and the catalogue's
new fingerprint.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone

from analysis import partitions, rollups_tables, tables
from analysis.months import Month

CATALOGUE = "36baae694648fde9"


def bring_to_catalogue(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    for statement in [*tables.statements(), *rollups_tables.statements()]:
        editor.execute(statement)
    months = [partition.month for partition in partitions.existing()]
    oldest = min(months, default=Month.of(timezone.now())).start
    editor.execute(
        f"INSERT INTO {rollups_tables.ROLLED} SELECT %s WHERE NOT EXISTS (SELECT FROM {rollups_tables.ROLLED})",  # noqa: S608
        [oldest],
    )


class Migration(migrations.Migration):
    dependencies = [("analysis", "0002_sample_tables")]
    operations = [migrations.RunPython(bring_to_catalogue, migrations.RunPython.noop)]
