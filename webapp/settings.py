"""Django's settings; what an operator may change comes from the environment (README: Settings)."""

from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF, UNSAFE_INLINE

from webapp import broker, database
from webapp.address import EVERYWHERE
from webapp.env import (
    LOG_LEVELS,
    env_bool,
    env_choice,
    env_float,
    env_folder,
    env_int,
    env_list,
    env_origin,
    env_secret,
    env_text,
    env_url,
    env_urls,
    env_zone,
)
from webapp.machine import numbers

BASE_DIR = Path(__file__).resolve().parent.parent

# Where everything that must outlive a restart is kept: database, broker log, artifacts.
DATA_DIR = env_folder("FOLDSTREAM_DATA", BASE_DIR / "var")

# Weights that were downloaded or imported; mirrors hold the published files under their names.
WEIGHTS_DIR = Path(env_text("FOLDSTREAM_WEIGHTS", str(DATA_DIR / "weights"))).expanduser().resolve()
WEIGHTS_MIRRORS = env_urls(
    "FOLDSTREAM_WEIGHTS_MIRRORS", such_as="https://mirror.example.org/weights"
)

# Read at each fold; here too, so that a word nobody knows ends the start and not every job.
NUMBERS = numbers()

DEBUG = env_bool("DEBUG", False)
SECRET_KEY = env_secret("SECRET_KEY", file=DATA_DIR / "secret_key")

# Addresses -----------------------------------------------------------------------------------
# LISTENS_ON is what the server was told to bind; empty when something else started it.
LISTENS_ON = env_text("FOLDSTREAM_HOST")
PUBLIC_URL = env_origin("FOLDSTREAM_URL")
PUBLIC_HOST = urlsplit(PUBLIC_URL).hostname or ""
IS_HTTPS = PUBLIC_URL.startswith("https://")

ALLOWED_HOSTS = [
    *env_list("ALLOWED_HOSTS"),
    *([PUBLIC_HOST] if PUBLIC_HOST else []),
    *([LISTENS_ON] if LISTENS_ON and LISTENS_ON not in EVERYWHERE else []),
    "localhost",
    "127.0.0.1",
    "[::1]",
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
SECURE_SSL_REDIRECT = IS_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz/$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = IS_HTTPS
SECURE_HSTS_PRELOAD = IS_HTTPS
SESSION_COOKIE_SECURE = IS_HTTPS
CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_NAME = "foldstream_session"
CSRF_COOKIE_NAME = "foldstream_csrf"
CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "style-src-attr": [UNSAFE_INLINE],
        "img-src": [SELF, "data:", "blob:"],
        "worker-src": [SELF, "blob:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}

# Django --------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "webapp",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "csp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "webapp.static_files.StaticFilesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "webapp.urls"
ASGI_APPLICATION = "webapp.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "webapp.local_user.in_templates",
                "webapp.search_request.in_templates",
            ],
        },
    }
]
DATABASES = {
    "default": database.config(env_text("DATABASE_URL"), sqlite_file=DATA_DIR / "db.sqlite3")
}
LANGUAGE_CODE = "en"
TIME_ZONE = env_zone("TIME_ZONE", "UTC")
USE_TZ = True

# Pages get their static files straight from these folders: no collecting, no second copy.
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# The forms take pasted alignments; webapp.forms sets the limits that people read about.
DATA_UPLOAD_MAX_MEMORY_SIZE = 40 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
# Enough for a job of as many rows as the form takes (webapp.entity_forms.MAX_ROWS).
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
DATA_UPLOAD_MAX_NUMBER_FILES = 1000

# Accounts ------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "webapp.local_user.PasswordBackend",
    "webapp.local_user.LocalUserBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "home"
SIGN_UP_IS_OPEN = env_bool("FOLDSTREAM_SIGN_UP", True)
ACCOUNT_ADAPTER = "webapp.local_user.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "webapp.account_forms.LoginForm",
    "signup": "webapp.account_forms.SignupForm",
    "change_password": "webapp.account_forms.ChangePasswordForm",
}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_USERNAME_BLACKLIST = ["local", "admin", "root", "foldstream"]
ACCOUNT_USERNAME_MIN_LENGTH = 2
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_REDIRECT_URL = LOGOUT_REDIRECT_URL

# Without a mail server, messages are printed by the web process.
EMAIL_HOST = env_text("EMAIL_HOST")
EMAIL_PORT = env_int("EMAIL_PORT", 587, at_least=1, at_most=65535)
EMAIL_HOST_USER = env_text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env_text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env_bool("EMAIL_USE_TLS", True)
EMAIL_TIMEOUT = 10
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
DEFAULT_FROM_EMAIL = env_text("DEFAULT_FROM_EMAIL", "foldstream@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# Alignments and templates ---------------------------------------------------------------------
# A server that alignments may be asked of: nobody's sequence leaves this machine without one, nor
# without the consent that the form asks for with every job.
MSA_SERVER_URL = env_url("FOLDSTREAM_MSA_SERVER", such_as="https://api.colabfold.com")
MSA_SERVER_ENV = env_bool("FOLDSTREAM_MSA_SERVER_ENV", True)
MSA_DATABASES = env_list("FOLDSTREAM_MSA_DATABASES")
RNA_DATABASES = env_list("FOLDSTREAM_RNA_DATABASES")
MSA_E_VALUE = env_float("FOLDSTREAM_MSA_E_VALUE", 1e-4)
MSA_ROWS = env_int("FOLDSTREAM_MSA_ROWS", 10_000, at_least=1, at_most=16_384)
MSA_ITERATIONS = env_int("FOLDSTREAM_MSA_ITERATIONS", 1, at_least=1, at_most=5)
MSA_CACHE_MB = env_int("FOLDSTREAM_MSA_CACHE_MB", 2048)
TEMPLATE_FOLDER = env_text("FOLDSTREAM_TEMPLATES")

# The Lab ---------------------------------------------------------------------------------------
# Money that all runs together may spend on paid backends, and how long one waits for a device.
QUANTUM_BUDGET = env_float("FOLDSTREAM_QUANTUM_BUDGET", 0.0, at_least=0.0)
QUANTUM_WAIT_SECONDS = env_float("FOLDSTREAM_QUANTUM_WAIT", 3600.0)
IBM_USD_PER_SECOND = env_float("FOLDSTREAM_IBM_USD_PER_SECOND", 1.6, at_least=0.0)
QUANTUM_TARGETS = {
    "ibm": env_text("FOLDSTREAM_IBM_DEVICE"),
    "ionq": env_text("FOLDSTREAM_IONQ_TARGET", "simulator"),
}
# Whether each is set; the values stay in the environment.
QUANTUM_CREDENTIALS = {
    "ibm": {
        "QISKIT_IBM_TOKEN": bool(env_text("QISKIT_IBM_TOKEN")),
        "QISKIT_IBM_INSTANCE": bool(env_text("QISKIT_IBM_INSTANCE")),
        "QISKIT_IBM_URL": bool(env_url("QISKIT_IBM_URL", such_as="https://quantum.cloud.ibm.com")),
    },
    "ionq": {
        "IONQ_API_KEY": bool(env_text("IONQ_API_KEY")),
        "IONQ_API_URL": bool(env_url("IONQ_API_URL", such_as="https://api.ionq.co/v0.4")),
    },
}

# Broker, events, workers ---------------------------------------------------------------------
REDIS_URL = broker.given_url() or broker.embedded_url(DATA_DIR)

CELERY_BROKER_URL = broker.celery_url(REDIS_URL)
# Dragonfly in cluster mode wants its queues in braces: FOLDSTREAM_QUEUE={fold}
CELERY_TASK_DEFAULT_QUEUE = env_text("FOLDSTREAM_QUEUE", "fold")
# Downloads of weights must not wait for folds, nor folds for them.
WEIGHTS_QUEUE = f"{CELERY_TASK_DEFAULT_QUEUE}-weights"
LAB_QUEUE = f"{CELERY_TASK_DEFAULT_QUEUE}-lab"
CELERY_IMPORTS = ["webapp.lab.tasks"]
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# A worker that is asked to stop gives its fold back at once (webapp/caretaker.py).
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 1.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Longer than any fold: below it Celery would run a long task twice. Lost workers are found by
# the lease in the job's row, not by this clock.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 24 * 3600,
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
}
CELERY_TIMEZONE = TIME_ZONE

LOG_LEVEL = env_choice("LOG_LEVEL", "warning", of=LOG_LEVELS)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    # Pages that do not exist are the visitors' business.
    "loggers": {"django.request": {"level": "ERROR"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL.upper()},
}
