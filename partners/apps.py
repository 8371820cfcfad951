from django.apps import AppConfig


class PartnersConfig(AppConfig):
    name = "partners"

    def ready(self) -> None:
        from partners import checks, hosts  # noqa: F401  # connect the signals and register the checks
