"""The Celery application; its settings are the `CELERY_*` names in `webapp.settings`."""

import os
import warnings

from celery import Celery
from celery.exceptions import SecurityWarning

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

# It warns root of pickled messages, which this application does not accept (JSON only).
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("foldstream")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
