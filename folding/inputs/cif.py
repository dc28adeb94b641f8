"""CIF text as tables, in plain Python: to judge small files where nothing heavy is loaded."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from folding.errors import InvalidInput
from folding.inputs.text import quoted

_TOKEN = re.compile(
    r"""
      (?m:^);(?P<text>.*?)(?:\n;|\Z)          # a text field from one line's semicolon to the next
    | \#[^\n]*                                # a remark
    | '(?P<single>(?:[^'\n]|'(?=\S))*)'(?=\s|\Z)
    | "(?P<double>(?:[^"\n]|"(?=\S))*)"(?=\s|\Z)
    | (?P<bare>\S+)
    """,
    re.VERBOSE | re.DOTALL,
)


class Block(NamedTuple):
    """One data block: every item with its values; an item outside of a loop has one value."""

    name: str
    items: Mapping[str, tuple[str, ...]]

    def column(self, tag: str) -> tuple[str, ...]:
        """The values of an item, none where the block has no such item."""
        return self.items.get(tag.lower(), ())


class _Token(NamedTuple):
    value: str
    is_bare: bool

    def starts(self, word: str) -> bool:
        return self.is_bare and self.value[: len(word)].lower() == word


def read_cif(text: str, *, field: str) -> tuple[Block, ...]:
    """The data blocks of CIF text, in order.

    Raises:
        InvalidInput: The text is not CIF: says what stands where a table should go on.
    """
    blocks: list[tuple[str, dict[str, tuple[str, ...]]]] = []
    tokens = list(_tokens(text))
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.starts("data_"):
            blocks.append((token.value[len("data_") :], {}))
            at += 1
        elif not blocks:
            raise InvalidInput(
                f"A CIF file begins with “data_” and a name, but this begins with "
                f"{quoted(token.value)}.",
                field=field,
            )
        elif token.starts("loop_"):
            at = _read_loop(tokens, at + 1, into=blocks[-1][1], field=field)
        elif token.starts("_"):
            at = _read_item(tokens, at, into=blocks[-1][1], field=field)
        else:
            raise InvalidInput(
                f"The CIF file has the value {quoted(token.value)} where the name of an item "
                "should stand. Is a quotation mark missing?",
                field=field,
            )
    return tuple(Block(name, items) for name, items in blocks)


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind:
            yield _Token(match[kind], kind == "bare")


def _read_item(
    tokens: list[_Token], at: int, *, into: dict[str, tuple[str, ...]], field: str
) -> int:
    tag = tokens[at].value
    if at + 1 >= len(tokens) or not _is_value(tokens[at + 1]):
        raise InvalidInput(f"The CIF item {quoted(tag)} has no value.", field=field)
    _put(into, tag, (tokens[at + 1].value,), field=field)
    return at + 2


def _read_loop(
    tokens: list[_Token], at: int, *, into: dict[str, tuple[str, ...]], field: str
) -> int:
    first_tag = at
    while at < len(tokens) and tokens[at].starts("_"):
        at += 1
    tags = [token.value for token in tokens[first_tag:at]]
    first_value = at
    while at < len(tokens) and _is_value(tokens[at]):
        at += 1
    values = [token.value for token in tokens[first_value:at]]
    if not tags or not values or len(values) % len(tags):
        what = f"that begins with {quoted(tags[0])}" if tags else "without items"
        raise InvalidInput(
            f"The CIF table {what} has {len(tags)} columns and {len(values)} values, which does "
            "not come out even. Was the file cut short?",
            field=field,
        )
    for column, tag in enumerate(tags):
        _put(into, tag, tuple(values[column :: len(tags)]), field=field)
    return at


def _is_value(token: _Token) -> bool:
    return not any(token.starts(word) for word in ("_", "data_", "loop_"))


def _put(
    items: dict[str, tuple[str, ...]], tag: str, values: tuple[str, ...], *, field: str
) -> None:
    if tag.lower() in items:
        raise InvalidInput(f"The CIF item {quoted(tag)} is given twice.", field=field)
    items[tag.lower()] = values
