"""A tenant begins with one channel: mail to its Admins, whoever they are at that moment."""

from typing import Any

from django.db import migrations

from core.sealed import seal


def make(apps: Any, schema_editor: Any) -> None:
    apps.get_model("alert_sending", "Channel").objects.create(
        name="Admins by mail", kind="mail", sealed_address=seal("@admins", "channel address"), hint="@admins"
    )


class Migration(migrations.Migration):
    dependencies = [("alert_sending", "0001_channels")]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
