from django.apps import AppConfig
from django.db.models.signals import post_delete


class WebappConfig(AppConfig):
    name = "webapp"
    verbose_name = "Foldstream"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from webapp.models import Job, remember_deleted

        # Jobs are deleted with their owner too, which no verb of `webapp/jobs.py` hears of.
        post_delete.connect(remember_deleted, sender=Job)
