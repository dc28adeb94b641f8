"""Settings from the environment: read, or fail loudly."""

import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})
SECRET_BYTES = 50
WEB = ("http", "https")
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
Word = TypeVar("Word", bound=str)


class BadSetting(ValueError):
    """An environment variable holds a value that cannot be used."""

    def __init__(self, name: str, *, value: str, rule: str) -> None:
        super().__init__(f"{name} is {value!r}, but it must be {rule}.")
        self.name = name


def env_text(name: str, default: str = "") -> str:
    """The variable without surrounding white space; an empty variable counts as unset."""
    return os.environ.get(name, "").strip() or default


def env_as_it_is(name: str) -> str | None:
    """The variable, None when it is unset: for one that means something when it is empty."""
    return os.environ.get(name)


def env_list(name: str) -> list[str]:
    """The comma-separated words of the variable; none when it is unset."""
    return [word.strip() for word in env_text(name).split(",") if word.strip()]


def env_bool(name: str, default: bool) -> bool:
    """True or false as the variable says.

    Raises:
        BadSetting: the word is neither yes nor no.
    """
    word = env_text(name).lower()
    if not word:
        return default
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise BadSetting(name, value=word, rule="one of 1, true, yes, on, 0, false, no, off")


def env_choice(name: str, default: Word, *, of: Sequence[Word]) -> Word:
    """The one of these words that the variable holds, in whatever case.

    Raises:
        BadSetting: it holds another one.
    """
    text = env_text(name, default)
    for word in of:
        if text.lower() == word:
            return word
    raise BadSetting(name, value=text, rule=f"one of {', '.join(of)}")


def env_zone(name: str, default: str) -> str:
    """The name of a time zone that this machine knows.

    Raises:
        BadSetting: it knows none of this name.
    """
    text = env_text(name, default)
    try:
        return ZoneInfo(text).key
    except (KeyError, ValueError, OSError):
        rule = "the name of a time zone, such as Europe/Berlin or UTC"
        raise BadSetting(name, value=text, rule=rule) from None


def env_url(name: str, *, such_as: str, schemes: Sequence[str] = WEB) -> str:
    """The address in the variable, without a slash at its end; empty when it is unset.

    Raises:
        BadSetting: it begins with none of the schemes, or names no host.
    """
    text = env_text(name).rstrip("/")
    return _url(name, text, such_as=such_as, schemes=schemes) if text else ""


def env_urls(name: str, *, such_as: str) -> list[str]:
    """The addresses in the variable, which commas separate.

    Raises:
        BadSetting: one of them is none.
    """
    return [_url(name, word, such_as=such_as, schemes=WEB) for word in env_list(name)]


def env_origin(name: str) -> str:
    """The address of a site, of which nothing follows the host; empty when it is unset.

    Raises:
        BadSetting: it is none.
    """
    such_as = "https://fold.example.org"
    text = env_url(name, such_as=such_as)
    parts = urlsplit(text)
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        rule = f"an address without anything behind the host, such as {such_as}"
        raise BadSetting(name, value=without_password(text), rule=rule)
    return text


def _url(name: str, text: str, *, such_as: str, schemes: Sequence[str]) -> str:
    parts = split_url(text)
    if parts is None or parts.scheme not in schemes or not parts.hostname:
        begins = " or ".join(f"{scheme}://" for scheme in schemes)
        rule = f"an address that begins with {begins}, such as {such_as}"
        raise BadSetting(name, value=without_password(text), rule=rule)
    return text


def split_url(text: str) -> SplitResult | None:
    """The parts of an address; None where its host or its port cannot be one."""
    try:
        parts = urlsplit(text)
        return parts if parts.port != 0 and " " not in parts.netloc else None
    except ValueError:
        return None


def without_password(url: str) -> str:
    """The address as it may be shown: without a name, a password and options that it may hold."""
    before, at, rest = url.partition("?")[0].rpartition("@")
    scheme, slashes, _ = before.partition("://")
    return f"{scheme if slashes else ''}{slashes}…@{rest}" if at else rest


def env_int(name: str, default: int, *, at_least: int = 0, at_most: int | None = None) -> int:
    """The whole number in the variable.

    Raises:
        BadSetting: not a whole number, or outside its bounds.
    """
    text = env_text(name)
    if not text:
        return default
    bounds = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
    rule = f"a whole number {bounds}"
    try:
        number = int(text)
    except ValueError:
        raise BadSetting(name, value=text, rule=rule) from None
    if number < at_least or (at_most is not None and number > at_most):
        raise BadSetting(name, value=text, rule=rule)
    return number


def env_float(
    name: str, default: float, *, above: float = 0.0, at_least: float | None = None
) -> float:
    """The number in the variable.

    Args:
        at_least: the bound where it is itself allowed, in place of `above`.

    Raises:
        BadSetting: not a number, or not within its bound.
    """
    text = env_text(name)
    if not text:
        return default
    bound = f"above {above:g}" if at_least is None else f"of at least {at_least:g}"
    rule = f"a number {bound}, such as {default:g}"
    try:
        number = float(text)
    except ValueError:
        raise BadSetting(name, value=text, rule=rule) from None
    is_within = above < number if at_least is None else at_least <= number
    if not is_within or not number < float("inf"):
        raise BadSetting(name, value=text, rule=rule)
    return number


def environment() -> dict[str, str]:
    """A copy of all variables, to be passed to what reads its own: clients of vendors."""
    return dict(os.environ)


def env_folder(name: str, default: Path) -> Path:
    """The folder that the variable names, made if it is not there and closed to other users.

    Raises:
        BadSetting: it is no folder, and cannot be made.
    """
    folder = Path(env_text(name, str(default))).expanduser().resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        rule = f"a folder that is there or can be made ({error.strerror})"
        raise BadSetting(name, value=str(folder), rule=rule) from None
    return folder


def env_secret(name: str, *, file: Path) -> str:
    """The secret in the variable, else the one in `file`: made once, readable by its owner."""
    return os.environ.get(name, "").strip() or _kept_secret(file)


def _kept_secret(file: Path) -> str:
    if not file.exists():
        _write_once(file, secrets.token_urlsafe(SECRET_BYTES))
    return file.read_text().strip()


def _write_once(file: Path, text: str) -> None:
    """Whoever links first wins, so that two processes that start together share one secret."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(text)
    with contextlib.suppress(FileExistsError):
        os.link(draft, file)
    draft.unlink()
