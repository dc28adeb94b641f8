"""What the settings become in a fresh process, for an environment that an operator may have."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    "SECRET_KEY",
    "DEBUG",
    "IS_HTTPS",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "SESSION_COOKIE_SECURE",
    "CSRF_COOKIE_SECURE",
    "SECURE_SSL_REDIRECT",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "CELERY_TASK_DEFAULT_QUEUE",
    "EMAIL_BACKEND",
    "MSA_SERVER_URL",
    "WEIGHTS_MIRRORS",
    "TIME_ZONE",
    "LOG_LEVEL",
]
SCRIPT = (
    "import json, webapp.settings as s; "
    f"print(json.dumps({{name: getattr(s, name) for name in {NAMES!r}}}))"
)


def clean_environment(data: Path, **variables: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "FOLDSTREAM_DATA": str(data), **variables}


def load(data: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(data, **variables)
    command = [sys.executable, "-c", SCRIPT]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def settings_of(data: Path, **variables: str) -> dict[str, object]:
    result = load(data, **variables)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_embedded_defaults_are_safe_and_stay_in_the_data_folder(tmp_path):
    settings = settings_of(tmp_path / "data")
    assert settings["DEBUG"] is False
    assert settings["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert settings["REDIS_URL"] == f"unix://{tmp_path}/data/redis.sock?db=0"
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert settings["SECRET_KEY"] == (tmp_path / "data" / "secret_key").read_text()
    assert settings["EMAIL_BACKEND"] == "django.core.mail.backends.console.EmailBackend"


def test_a_public_https_address_makes_cookies_secure_and_is_let_in(tmp_path):
    settings = settings_of(tmp_path, FOLDSTREAM_URL="https://fold.example.org/")
    assert settings["ALLOWED_HOSTS"][0] == "fold.example.org"
    assert settings["CSRF_TRUSTED_ORIGINS"] == ["https://fold.example.org"]
    secured = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "IS_HTTPS")
    assert {name: settings[name] for name in secured} == dict.fromkeys(secured, True)


def test_a_host_in_the_local_network_is_let_in_but_the_wildcard_is_not(tmp_path):
    assert "192.168.0.7" in settings_of(tmp_path, FOLDSTREAM_HOST="192.168.0.7")["ALLOWED_HOSTS"]
    assert "0.0.0.0" not in settings_of(tmp_path, FOLDSTREAM_HOST="0.0.0.0")["ALLOWED_HOSTS"]


def test_several_machines_share_one_redis_and_a_wrapped_queue(tmp_path):
    url = "rediss://default:key@redis.example:6380/0"
    settings = settings_of(tmp_path, REDIS_URL=url, FOLDSTREAM_QUEUE="{fold}", EMAIL_HOST="mail")
    assert settings["REDIS_URL"] == url
    assert settings["CELERY_BROKER_URL"] == f"{url}?ssl_cert_reqs=required"
    assert settings["CELERY_TASK_DEFAULT_QUEUE"] == "{fold}"
    assert settings["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("DEBUG", "maybe", "DEBUG is 'maybe', but it must be one of 1, true"),
        ("EMAIL_PORT", "smtp", "EMAIL_PORT is 'smtp', but it must be a whole number"),
        ("FOLDSTREAM_NUMBERS", "float16", "FOLDSTREAM_NUMBERS is 'float16', but it must be one of"),
        ("DATABASE_URL", "oracle://x/y", "postgresql://user:password@host:5432/name"),
        ("DATABASE_URL", "postgresql://u@db:54x/y", "DATABASE_URL is 'postgresql://…@db:54x/y'"),
        ("DATABASE_URL", "postgresql://[db/y", "postgresql://user:password@host:5432/name"),
        ("REDIS_URL", "localhost:6379", "REDIS_URL is 'localhost:6379', but it must be a redis://"),
        ("REDIS_URL", "redis://:key@h:x/0", "REDIS_URL is 'redis://…@h:x/0', but it must be"),
        ("REDIS_URL", "redis://h:6379/first", "REDIS_URL is 'redis://h:6379/first', but it"),
        ("REDIS_URL", "redis://h/0?db=x", "REDIS_URL is 'redis://h/0', but it must be a redis://"),
        ("LOG_LEVEL", "verbose", "LOG_LEVEL is 'verbose', but it must be one of debug, info"),
        ("TIME_ZONE", "Mars", "TIME_ZONE is 'Mars', but it must be the name of a time zone"),
        ("TIME_ZONE", "../etc", "TIME_ZONE is '../etc', but it must be the name of a time zone"),
        ("FOLDSTREAM_URL", "fold.example.org", "FOLDSTREAM_URL is 'fold.example.org', but it must"),
        ("FOLDSTREAM_URL", "https://", "an address that begins with http:// or https://, such"),
        ("FOLDSTREAM_URL", "https://a.example/x", "without anything behind the host, such as"),
        ("FOLDSTREAM_MSA_SERVER", "api.colabfold.com", "FOLDSTREAM_MSA_SERVER is 'api.colabfold"),
        ("FOLDSTREAM_MSA_SERVER", "https://ada:key@", "FOLDSTREAM_MSA_SERVER is 'https://…@'"),
        ("FOLDSTREAM_WEIGHTS_MIRRORS", "https://a.example,b", "FOLDSTREAM_WEIGHTS_MIRRORS is 'b'"),
        ("QISKIT_IBM_URL", "ibm", "QISKIT_IBM_URL is 'ibm', but it must be an address"),
        ("IONQ_API_URL", "ionq", "IONQ_API_URL is 'ionq', but it must be an address"),
        ("FOLDSTREAM_DATA", "/dev/null", "FOLDSTREAM_DATA is '/dev/null', but it must be a folder"),
    ],
)
def test_a_bad_value_stops_the_start_and_names_the_variable(tmp_path, name, value, rule):
    result = load(tmp_path, **{name: value})
    assert result.returncode == 1
    said = result.stderr.splitlines()[-1]
    assert rule in said
    assert "key" not in said


def test_good_addresses_are_taken_as_they_are(tmp_path):
    given = {
        "FOLDSTREAM_MSA_SERVER": "https://ada:key@msa.example.org/api/",
        "FOLDSTREAM_WEIGHTS_MIRRORS": "http://a.example/w, https://b.example",
        "TIME_ZONE": "Europe/Berlin",
        "LOG_LEVEL": "Info",
        "REDIS_URL": "unix:///run/redis.sock?db=1",
    }
    settings = settings_of(tmp_path, **given)
    assert settings["MSA_SERVER_URL"] == "https://ada:key@msa.example.org/api"
    assert settings["WEIGHTS_MIRRORS"] == ["http://a.example/w", "https://b.example"]
    assert settings["TIME_ZONE"] == "Europe/Berlin"
    assert settings["LOG_LEVEL"] == "info"
    assert settings["CELERY_BROKER_URL"] == "redis+socket:///run/redis.sock?virtual_host=1"


def test_a_command_says_it_in_one_sentence_too(tmp_path):
    environment = clean_environment(tmp_path, TIME_ZONE="Mars")
    command = [sys.executable, "manage.py", "check"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("TIME_ZONE is 'Mars', but it must be the name of a time zone")
    assert len(result.stderr.splitlines()) == 1


def test_the_deployment_check_has_nothing_to_say(tmp_path):
    environment = clean_environment(tmp_path, FOLDSTREAM_URL="https://fold.example.org")
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "no issues" in result.stdout


def test_no_row_changes_without_a_migration(tmp_path):
    command = [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"]
    environment = clean_environment(tmp_path)
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
