import gzip

import pytest

from webapp.static_files import StaticFilesMiddleware


@pytest.fixture
def served(settings, tmp_path, rf):
    """Answers requests for files of a folder with a script and its compressed twin."""
    (tmp_path / "page.js").write_text("export const x = 1;" * 50)
    (tmp_path / "page.js.gz").write_bytes(gzip.compress((tmp_path / "page.js").read_bytes()))
    settings.STATICFILES_DIRS = [tmp_path]
    middleware = StaticFilesMiddleware(lambda request: None)
    return lambda path, **headers: middleware(rf.get(path, headers=headers))


def test_a_script_arrives_whole_with_its_type(served, tmp_path):
    response = served("/static/page.js")
    assert response.content == (tmp_path / "page.js").read_bytes()
    assert response["Content-Type"].startswith("text/javascript")
    assert response["Content-Length"] == str(len(response.content))
    assert not response.streaming


def test_a_browser_that_takes_gzip_gets_the_small_twin(served, tmp_path):
    response = served("/static/page.js", accept_encoding="gzip")
    assert response["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.content) == (tmp_path / "page.js").read_bytes()


def test_a_browser_that_has_it_already_gets_no_body(served):
    since = served("/static/page.js")["Last-Modified"]
    response = served("/static/page.js", if_modified_since=since)
    assert (response.status_code, response.content) == (304, b"")


def test_other_paths_are_passed_on(served):
    assert served("/static/nothing.js") is None
    assert served("/jobs/") is None
