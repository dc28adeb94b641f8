"""Text as it arrives: how much of it, and which characters it may hold."""

import re
import reprlib

from folding.errors import InvalidInput

# What word processors and web pages leave in a paste unseen; it counts as white space.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
# C0 and C1 controls but for tab and line ends; half a surrogate pair cannot be stored.
_FORBIDDEN = re.compile("[\\x00-\\x08\\x0e-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
_QUOTED_CHARACTERS = 40


def check_size(text: str, *, limit: int, what: str, field: str) -> None:
    """Refuses text of more than `limit` characters before anything reads it.

    Raises:
        InvalidInput: The text is too long.
    """
    if len(text) > limit:
        raise InvalidInput(
            f"{what} can have at most {limit:,} characters, but this has {len(text):,}. "
            "Check that you chose the right file, or shorten it.",
            field=field,
        )


def check_characters(text: str, *, what: str, field: str) -> None:
    """Refuses NUL bytes and other control characters, which no sequence or name needs.

    Raises:
        InvalidInput: Names the first such character and its line.
    """
    if found := _FORBIDDEN.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise InvalidInput(
            f"{what} must be plain text, but line {line} holds the invisible control character "
            f"U+{ord(found.group()):04X}. Is it a compressed or binary file? Save or copy it as "
            "plain text and try again.",
            field=field,
        )


def without_invisible(text: str) -> str:
    """The text without zero-width characters and soft hyphens."""
    return text.translate(_INVISIBLE)


def quoted(value: object) -> str:
    """The offending value for a message: in quotes, on one line, not longer than it helps."""
    text = value if isinstance(value, str) else reprlib.repr(value)
    text = "".join(c if c.isprintable() else "\ufffd" for c in text[: _QUOTED_CHARACTERS + 1])
    return f"“{text[:_QUOTED_CHARACTERS]}…”" if len(text) > _QUOTED_CHARACTERS else f"“{text}”"
