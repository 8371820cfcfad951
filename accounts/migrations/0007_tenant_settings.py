"""The one row of a tenant's settings: it is there from the first request on, so that reading never guesses."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def make_the_row(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("accounts", "TenantSettings").objects.create(id=1)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_audit_events_wait_for_their_seal"),
    ]

    operations = [
        migrations.CreateModel(
            name="TenantSettings",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("time_zone", models.CharField(default="UTC", max_length=64)),
                (
                    "show_times",
                    models.CharField(
                        choices=[
                            ("reader", "Each reader's own zone, as the browser tells it"),
                            ("partner", "The time zone above, for everybody"),
                        ],
                        default="reader",
                        max_length=10,
                    ),
                ),
                ("brand_name", models.CharField(blank=True, max_length=60)),
                ("brand_colour", models.CharField(blank=True, max_length=7)),
                ("brand_logo", models.BinaryField(blank=True, default=bytes)),
                ("brand_logo_digest", models.CharField(blank=True, max_length=16)),
                ("brand_logo_width", models.PositiveSmallIntegerField(default=0)),
                ("brand_logo_height", models.PositiveSmallIntegerField(default=0)),
                ("require_mfa", models.BooleanField(default=False)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="tenant_settings_is_one_row")
                ],
            },
        ),
        migrations.RunPython(make_the_row, migrations.RunPython.noop),
    ]
