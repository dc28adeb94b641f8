"""JSON text as plain values: sizes, depth and doubled keys are judged before anything reads it."""

import json
from collections.abc import Sequence
from typing import Any

from folding.errors import InvalidInput
from folding.inputs.text import check_size, quoted

MAX_JSON_CHARACTERS = 50_000_000


def load_json(text: str) -> object:
    """The parsed document, whatever it is.

    Raises:
        InvalidInput: Too long, not JSON, nested beyond reason, or a key given twice.
    """
    check_size(text, limit=MAX_JSON_CHARACTERS, what="A JSON job", field="")
    try:
        document: object = json.loads(
            text.removeprefix("\ufeff"),
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"This is not JSON: {error.msg} at line {error.lineno}, column {error.colno}. "
            "Check for a missing comma, quote or bracket there."
        ) from error
    except RecursionError as error:
        raise InvalidInput("This JSON is nested too deeply to be a job.") from error
    except InvalidInput:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise InvalidInput("This JSON holds a number that is too long to be one.") from error
    return document


def _unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in pairs:
        if key in document:
            raise InvalidInput(f"The key {quoted(key)} is given twice. Delete one of them.")
        document[key] = value
    return document


def _refuse_constant(constant: str) -> object:
    raise InvalidInput(f"{constant} is not a JSON number. Replace it by a number.")
