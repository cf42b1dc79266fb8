"""How log lines look, for people or for machines. They never hold the text of an exception.

What is logged while a request is served has the request's id.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from traceback import walk_tb
from types import MappingProxyType, TracebackType
from typing import TextIO

from app.api.edge import REQUEST_ID
from app.api.watching import fields_of
from app.settings import LogFormat, LogLevel, Settings

_LEVELS: Mapping[LogLevel, int] = MappingProxyType(
    {
        LogLevel.DEBUG: logging.DEBUG,
        LogLevel.INFO: logging.INFO,
        LogLevel.WARNING: logging.WARNING,
        LogLevel.ERROR: logging.ERROR,
    }
)
# They say at this level what only concerns themselves, or at which addresses webhooks are.
_TALKATIVE = (
    "app.persistence.lending.CountingPool",
    "aiosqlite",
    "alembic",
    "asyncio",
    "httpcore",
    "httpx",
    "uvicorn",
)

# Made once: `json.dumps` makes another for every line.
_encode = json.JSONEncoder(ensure_ascii=False).encode

_Raised = tuple[type[BaseException], BaseException, TracebackType | None]
_Exception = _Raised | tuple[None, None, None]


class Lines(logging.Formatter):
    """One line for each entry: when, how important, who, what."""

    def format(self, record: logging.LogRecord) -> str:
        """The entry as a line for people."""
        entry = _entry(record)
        line = f"{entry.pop('at')} {record.levelname.lower()} {record.name}: {entry.pop('text')}"
        error = entry.pop("error", None)
        told = "".join(f" {name}={value}" for name, value in entry.items())
        return f"{line}{told}" if error is None else f"{line}{told} ({error})"


class JsonLines(logging.Formatter):
    """One JSON object for each entry."""

    def format(self, record: logging.LogRecord) -> str:
        """The entry as a line for machines."""
        level, logger = record.levelname.lower(), record.name
        return _encode({"level": level, "logger": logger, **_entry(record)})


def configure_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Send every log line of this process to standard error, as the settings say."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if settings.log_format is LogFormat.JSON else Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    level = _LEVELS[settings.log_level]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _entry(record: logging.LogRecord) -> dict[str, object]:
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    entry: dict[str, object] = {"at": at.replace("+00:00", "Z"), "text": record.getMessage()}
    request_id = REQUEST_ID.get()
    if request_id:
        entry["request_id"] = request_id
    entry.update(fields_of(record))
    if record.exc_info:
        entry["error"] = _where(record.exc_info)
    return entry


def _where(raised: _Exception) -> str:
    """The kind of an exception and where it arose: its text may hold what a client sent."""
    kind, _, traceback = raised
    if kind is None:
        return "no exception"
    frames = [f"{frame.f_code.co_filename}:{line}" for frame, line in walk_tb(traceback)]
    return " < ".join([kind.__name__, *reversed(frames)])
