"""Text from outside, as it may be shown: product names, messages, reasons, ids and names that others wrote.

HTML is escaped by its templates. JSON escapes by itself.
"""

from __future__ import annotations

import logging
import re
from typing import Annotated, Any

from pydantic import AfterValidator

_MARKUP = re.compile(r"([\\`*\[\]<>|~!])")


def plain(text: str) -> str:
    """On one line of a terminal or a log: a blank for each line break, escape sequence, NUL or sign that turns the
    direction of writing."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else " " for sign in text)


PlainText = Annotated[str, AfterValidator(plain)]


def counted(count: int, noun: str) -> str:
    """ "1 job", "2 jobs"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def markdown(text: str) -> str:
    """The same in Markdown: no markup, link or table cell begins or ends in it."""
    return _MARKUP.sub(r"\\\1", plain(text))


def csv_cell(text: str) -> str:
    """The same in a cell of a table that a spreadsheet may open: no formula."""
    shown = plain(text)
    return f"'{shown}" if shown.lstrip()[:1] in ("=", "+", "-", "@") or text[:1] in ("\t", "\r") else shown


class PlainLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger each of whose messages is plain text, whatever its arguments hold."""

    def log(self, level: int, msg: object, *args: object, **given: Any) -> None:
        if self.isEnabledFor(level):
            text = plain(str(msg) % args if args else str(msg))
            super().log(level, "%s", text, **(given | {"stacklevel": given.get("stacklevel", 1) + 1}))


def plain_logger(name: str) -> PlainLogger:
    return PlainLogger(logging.getLogger(name), {})
