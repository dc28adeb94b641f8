"""The product's settings with a data folder of its own, so that no test touches `./var`."""

import atexit
import os
import shutil
import tempfile

for name in ("DATABASE_URL", "REDIS_URL", "FOLDSTREAM_HOST", "FOLDSTREAM_URL", "ALLOWED_HOSTS"):
    os.environ.pop(name, None)
os.environ["FOLDSTREAM_DATA"] = tempfile.mkdtemp(prefix="foldstream-tests-")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Playwright's sync interface keeps an event loop running in the thread that uses the ORM.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
atexit.register(shutil.rmtree, os.environ["FOLDSTREAM_DATA"], ignore_errors=True)

from webapp.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}  # noqa: F405
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
