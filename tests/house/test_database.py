from pathlib import Path

import pytest
from django.db import connection

from webapp import database
from webapp.env import BadSetting

FILE = Path("/data/db.sqlite3")


def test_no_url_means_sqlite_in_the_data_folder():
    config = database.config("", sqlite_file=FILE)
    assert config["ENGINE"] == "django.db.backends.sqlite3"
    assert config["NAME"] == FILE


@pytest.mark.django_db
def test_sqlite_lets_web_and_worker_write_at_the_same_time():
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("wal",)
        cursor.execute("PRAGMA busy_timeout")
        assert cursor.fetchone() == (20_000,)


def test_a_postgresql_url_is_taken_apart():
    url = "postgresql://fold:p%40ss@db.example:5433/fold_stream?sslmode=require"
    config = database.config(url, sqlite_file=FILE)
    assert config["ENGINE"] == "django.db.backends.postgresql"
    assert (config["USER"], config["PASSWORD"]) == ("fold", "p@ss")
    assert (config["HOST"], config["PORT"]) == ("db.example", "5433")
    assert config["NAME"] == "fold_stream"
    assert config["OPTIONS"] == {"sslmode": "require"}


@pytest.mark.parametrize("url", ["mysql://user:secret@host/name", "postgresql://user:secret@host/"])
def test_other_urls_are_refused_without_showing_the_password(url):
    with pytest.raises(BadSetting, match="DATABASE_URL") as caught:
        database.config(url, sqlite_file=FILE)
    assert "secret" not in str(caught.value)
    assert "postgresql://user:password@host:5432/name" in str(caught.value)
