"""The Celery application; its settings are the `CELERY_*` names in `webapp.settings`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

app = Celery("foldstream")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
