"""The keys of one object of a job file: each is asked for by name, what is left over is refused."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from folding.errors import InvalidInput
from folding.inputs.bond import Bond
from folding.inputs.text import quoted

# Gives the text of a file that a job names; a job that came through the web has none.
Files = Callable[[str], str]
_NOTHING: tuple[object, ...] = (None, "", [], {})
_TRUE, _FALSE = {"true", "yes", "on"}, {"false", "no", "off"}


class JobFields(NamedTuple):
    """What a job says, before the rules of a job are applied."""

    name: str
    seeds: tuple[int, ...]
    chains: tuple[Any, ...]
    bonds: tuple[Bond, ...] = ()
    user_ccd: str | None = None


class Fields:
    """An object of a job file: reads keys by their kind, and knows in the end what was left over.

    Args:
        document: What stands where the object should stand.
        dialect: What messages call the dialect.
        place: Where it sits in the job, as in `InvalidInput.field`.
        noun: What messages call it.
        is_text: Numbers and truth values arrive as text, as in YAML without types.
    """

    def __init__(
        self, document: object, *, dialect: str, place: str, noun: str, is_text: bool = False
    ) -> None:
        if not isinstance(document, Mapping):
            raise InvalidInput(
                f"{noun} must be an object with keys, not {quoted(document)}.", field=place
            )
        self._fields = document
        self._asked: set[object] = set()
        self.dialect, self.place, self.noun, self._is_text = dialect, place, noun, is_text

    def at(self, part: str) -> str:
        """The place of a part of this object."""
        return f"{self.place}.{part}".strip(".")

    def has(self, key: str) -> bool:
        """True if the key is there and says anything."""
        self._asked.add(key)
        return self._fields.get(key) not in _NOTHING

    def raw(self, key: str) -> Any:
        """The value, whatever it is; None where the key is missing."""
        self._asked.add(key)
        return self._fields.get(key)

    def text(self, key: str, *, part: str = "", default: str | None = None) -> str:
        """Text; `default` where the key is missing or null.

        Raises:
            InvalidInput: Not text, or missing without a default.
        """
        value = self.raw(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self._wrong(key, "text", part=part)
        return value

    def whole(self, key: str, *, part: str = "", default: int | None = None) -> int:
        """A whole number; `default` where the key is missing or null.

        Raises:
            InvalidInput: Not a whole number, or missing without a default.
        """
        value = self.raw(key)
        if value is None and default is not None:
            return default
        number = whole_number(value, from_text=self._is_text)
        if number is None:
            raise self._wrong(key, "a whole number", part=part)
        return number

    def truth(self, key: str, *, part: str = "", default: bool = False) -> bool:
        """True or false; `default` where the key is missing or null.

        Raises:
            InvalidInput: Neither.
        """
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        word = value.lower() if self._is_text and isinstance(value, str) else ""
        if word in _TRUE | _FALSE:
            return word in _TRUE
        raise self._wrong(key, "true or false", part=part)

    def items(self, key: str, what: str, *, part: str = "", required: bool = False) -> list[Any]:
        """A list; empty where the key is missing, null or empty text.

        Raises:
            InvalidInput: Not a list, or missing though required.
        """
        value = self.raw(key)
        if value in (None, "") and not required:
            return []
        if not isinstance(value, list):
            raise self._wrong(key, what, part=part)
        return value

    def texts(self, key: str, what: str, *, part: str = "") -> list[str]:
        """A list of text; empty where the key is missing or null.

        Raises:
            InvalidInput: Not such a list.
        """
        values = self.items(key, what, part=part)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(key, what, part=part)
        return values

    def wholes(
        self, key: str, *, part: str = "", required: bool = False, from_text: bool = False
    ) -> list[int]:
        """A list of whole numbers; empty where the key is missing or null and not required.

        Raises:
            InvalidInput: Not such a list.
        """
        what = "a list of whole numbers"
        values = self.items(key, what, part=part, required=required)
        numbers = [whole_number(value, from_text=from_text or self._is_text) for value in values]
        found = [number for number in numbers if number is not None]
        if len(found) != len(numbers):
            raise self._wrong(key, what, part=part)
        return found

    def within(self, document: object, *, part: str, noun: str) -> "Fields":
        """An object inside of this one, of the same dialect."""
        return Fields(
            document,
            dialect=self.dialect,
            place=self.at(part),
            noun=noun,
            is_text=self._is_text,
        )

    def refuse(self, asks: Mapping[str, str], *, part: str = "") -> None:
        """Refuses keys that ask for what is not supported, each with what it asks for.

        Raises:
            InvalidInput: Names the first such key that says anything.
        """
        for key, what in asks.items():
            if self.has(key):
                raise InvalidInput(
                    f"“{key}” asks for {what}, which is not supported. Remove it to fold without.",
                    field=self.at(part),
                )

    def ignore(self, keys: Iterable[str]) -> None:
        """Lets keys pass that say nothing about the fold."""
        self._asked |= set(keys)

    def done(self) -> None:
        """Refuses keys that nobody asked for.

        Raises:
            InvalidInput: Names the first of them.
        """
        for key in self._fields:
            if key not in self._asked:
                raise InvalidInput(
                    f"The key {quoted(key)} is not part of the {self.dialect} dialect"
                    f"{' here' if self.place else ''}. Remove it or correct its spelling.",
                    field=self.place,
                )

    def read_file(self, key: str, files: Files | None, *, advice: str, part: str = "") -> str:
        """The text of the file that the key names.

        Raises:
            InvalidInput: There is no reading of files here, or not this one.
        """
        path = self.text(key, part=part)
        if files is None:
            raise InvalidInput(
                f"“{key}” names a file that cannot be read from here: {advice}, or fold it with "
                "“manage.py fold”, which reads files beside the job's.",
                field=self.at(part),
            )
        try:
            return files(path)
        except InvalidInput as error:
            raise InvalidInput(f"“{key}”: {error}", field=self.at(part)) from error

    def _wrong(self, key: str, kind: str, *, part: str) -> InvalidInput:
        value = self._fields.get(key)
        found = "it is missing" if key not in self._fields else f"this has {quoted(value)}"
        return InvalidInput(f"“{key}” must be {kind}, but {found}.", field=self.at(part or key))


def whole_number(value: object, *, from_text: bool = False) -> int | None:
    """The whole number that a value is, or that its text says; None if it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    is_number = isinstance(value, str) and value.isascii() and value.lstrip("-").isdigit()
    return int(str(value)) if from_text and is_number and len(str(value)) < 20 else None


def entities(fields: Fields) -> list[tuple[str, Any, str]]:
    """The kind, the object and the place of each item of `sequences`.

    Raises:
        InvalidInput: An item that is not an object with one key.
    """
    found = []
    items = fields.items("sequences", "a list of chains", part="chains", required=True)
    for index, item in enumerate(items):
        place = fields.at(f"chains.{index}")
        if not isinstance(item, Mapping) or len(item) != 1:
            raise InvalidInput(
                f"Each item of “sequences” must be an object with one key, such as “protein”, not "
                f"{quoted(item)}.",
                field=place,
            )
        ((kind, entity),) = item.items()
        found.append((str(kind), entity, place))
    return found


def unknown_kind(kind: str, known: Sequence[str], *, place: str) -> InvalidInput:
    """What to say of a kind of chain that a dialect does not have."""
    return InvalidInput(
        f"{quoted(kind)} is not a kind of chain of this dialect, which has "
        f"{', '.join(f'“{name}”' for name in known)}.",
        field=place,
    )


def inside(place: str, make: Callable[[], Any]) -> Any:
    """What `make` gives; its complaints get the place of the part in front.

    Raises:
        InvalidInput: As `make`.
    """
    try:
        return make()
    except InvalidInput as error:
        raise error.inside(place) from error
