from django.apps import AppConfig


class AlertSendingConfig(AppConfig):
    name = "alerts.sending"
    label = "alert_sending"
