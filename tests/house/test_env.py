import pytest

from webapp.env import BadSetting, env_bool, env_float, env_int, env_list, env_secret, env_text


def test_an_unset_or_empty_variable_gives_the_default(monkeypatch):
    monkeypatch.delenv("A_NAME", raising=False)
    assert env_text("A_NAME", "x") == "x"
    monkeypatch.setenv("A_NAME", "  ")
    assert env_text("A_NAME", "x") == "x"
    assert env_bool("A_NAME", True) is True
    assert env_int("A_NAME", 7) == 7
    assert env_list("A_NAME") == []


@pytest.mark.parametrize(
    ("word", "value"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("FALSE", False)]
)
def test_yes_and_no_in_several_spellings(monkeypatch, word, value):
    monkeypatch.setenv("A_NAME", word)
    assert env_bool("A_NAME", not value) is value


def test_a_word_that_is_neither_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("DEBUG", "maybe")
    with pytest.raises(BadSetting, match=r"DEBUG is 'maybe', but it must be one of") as caught:
        env_bool("DEBUG", False)
    assert caught.value.name == "DEBUG"


@pytest.mark.parametrize("text", ["abc", "1.5", "-1", "70000"])
def test_a_number_outside_its_bounds_is_refused(monkeypatch, text):
    monkeypatch.setenv("PORT", text)
    with pytest.raises(BadSetting, match="a whole number from 0 to 65535"):
        env_int("PORT", 8000, at_most=65535)


def test_a_number_inside_its_bounds(monkeypatch):
    monkeypatch.setenv("PORT", " 65535 ")
    assert env_int("PORT", 8000, at_most=65535) == 65535


def test_a_list_drops_empty_words(monkeypatch):
    monkeypatch.setenv("HOSTS", "a.example, ,b.example,")
    assert env_list("HOSTS") == ["a.example", "b.example"]


def test_a_secret_from_the_environment_leaves_no_file(monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET_KEY", "from outside")
    assert env_secret("SECRET_KEY", file=tmp_path / "key") == "from outside"
    assert list(tmp_path.iterdir()) == []


def test_a_secret_is_made_once_and_only_its_owner_reads_it(monkeypatch, tmp_path):
    monkeypatch.delenv("SECRET_KEY", raising=False)
    file = tmp_path / "key"
    first = env_secret("SECRET_KEY", file=file)
    assert env_secret("SECRET_KEY", file=file) == first
    assert len(first) >= 50
    assert len(set(first)) >= 10
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(("text", "number"), [("", 2.0), ("0", 0.0), ("12.5", 12.5)])
def test_a_number_may_be_its_own_bound(monkeypatch, text, number):
    monkeypatch.setenv("CAP", text)
    assert env_float("CAP", 2.0, at_least=0.0) == number


@pytest.mark.parametrize("text", ["-1", "inf", "nan", "much"])
def test_a_number_below_its_bound_is_refused(monkeypatch, text):
    monkeypatch.setenv("CAP", text)
    with pytest.raises(BadSetting, match="a number of at least 0, such as 2"):
        env_float("CAP", 2.0, at_least=0.0)
