"""Notes the statements the product sends for one request, so that a yardstick sends the same."""

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

VARIABLE = "BENCHMARK_CAPTURES"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as the driver was given it; ``many`` has a list of parameters."""

    sql: str
    parameters: Any
    many: bool


@dataclass(slots=True)
class Capture:
    """One request's statements in their order, and what was answered."""

    statements: list[Statement] = field(default_factory=list)
    answer: Any = None


@dataclass(frozen=True, slots=True)
class Captures:
    """What a yardstick needs to do the same work on the same database."""

    database: str
    patient_id: str
    create: Capture
    listed: Capture
    waiting: Capture
    plan: bytes

    def save(self, path: Path) -> None:
        """Write it for the yardstick's process."""
        path.write_bytes(pickle.dumps(self))

    @staticmethod
    def load(path: Path) -> "Captures":
        """Read what was saved."""
        found = pickle.loads(path.read_bytes())
        assert isinstance(found, Captures)
        return found


@contextmanager
def captured(capture: Capture) -> Iterator[None]:
    """Note every statement that any engine of this process sends within the block."""

    def note(
        _connection: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        capture.statements.append(Statement(sql, parameters, many))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def given() -> Captures:
    """The captures which the environment of a yardstick's process names."""
    return Captures.load(Path(os.environ[VARIABLE]))
