from django.apps import AppConfig


class ReportJobsConfig(AppConfig):
    name = "reports.jobs"
    label = "report_jobs"
