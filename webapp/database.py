"""Which database: SQLite in the data folder, or PostgreSQL behind a URL."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from webapp.env import BadSetting, split_url, without_password

LOCK_WAIT_SECONDS = 20
POSTGRES_SCHEMES = frozenset({"postgres", "postgresql"})


def config(url: str, *, sqlite_file: Path) -> dict[str, Any]:
    """Django's `DATABASES` entry for `url`; an empty URL means SQLite in `sqlite_file`.

    Raises:
        BadSetting: the URL names another kind of database, or no database at all.
    """
    return _postgres(url) if url else _sqlite(sqlite_file)


def _sqlite(file: Path) -> dict[str, Any]:
    """Write-ahead log and immediate transactions: two processes write without `is locked`."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": file,
        "OPTIONS": {
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            "transaction_mode": "IMMEDIATE",
            "timeout": LOCK_WAIT_SECONDS,
        },
    }


def _postgres(url: str) -> dict[str, Any]:
    parts = split_url(url)
    name = unquote(parts.path.lstrip("/")) if parts else ""
    if parts is None or parts.scheme not in POSTGRES_SCHEMES or not name:
        raise BadSetting(
            "DATABASE_URL",
            value=without_password(url),
            rule="postgresql://user:password@host:5432/name, or unset for SQLite",
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),
        "CONN_HEALTH_CHECKS": True,
    }
