"""What fails now and may well be done the next time, on both databases."""

from enum import Enum, auto

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

LOCK_NOT_AVAILABLE = "55P03"
# And: statement cancelled by its time-out, serialization failure, deadlock.
_HELD = {LOCK_NOT_AVAILABLE, "57014", "40001", "40P01"}
# The connection is lost, or the server is stopped, has crashed or starts; by how codes begin.
_AWAY = ("08", "57P")


class Passing(Enum):
    """Why something was not done that may be done the next time."""

    CROWDED = auto()
    """Every connection stayed busy."""
    HELD = auto()
    """Others held the same data."""
    AWAY = auto()
    """The database cannot be reached."""


def passing(error: Exception) -> Passing | None:
    """Why this failed, if it may be done the next time."""
    code = code_of(error) or ""
    match error:
        case PoolTimeout():
            return Passing.CROWDED
        case DBAPIError() if code in _HELD or "database is locked" in str(error.orig):
            return Passing.HELD
        case DBAPIError(connection_invalidated=True) | OSError():
            return Passing.AWAY
        case DBAPIError() if code.startswith(_AWAY):
            return Passing.AWAY
        case _:
            return None


def code_of(error: Exception) -> str | None:
    """PostgreSQL's code for what went wrong there.

    https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    code: str | None = getattr(getattr(error, "orig", None), "sqlstate", None)
    return code
