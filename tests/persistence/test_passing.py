"""What may be done the next time is told from what may not."""

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.persistence.passing import Passing, passing


class RefusedError(Exception):
    """What a driver raises; ``sqlstate`` as PostgreSQL has it."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__()
        self.sqlstate = sqlstate


def refused(sqlstate: str) -> DBAPIError:
    return DBAPIError(None, None, RefusedError(sqlstate))


def said(text: str) -> DBAPIError:
    return DBAPIError(None, None, ValueError(text))


@pytest.mark.parametrize(
    "error, why",
    [
        pytest.param(PoolTimeout(), Passing.CROWDED, id="no connection in time"),
        pytest.param(refused("55P03"), Passing.HELD, id="locked"),
        pytest.param(refused("40001"), Passing.HELD, id="not serializable"),
        pytest.param(said("database is locked"), Passing.HELD, id="a locked file"),
        pytest.param(refused("57P01"), Passing.AWAY, id="stopped by its administrator"),
        pytest.param(refused("08006"), Passing.AWAY, id="the connection failed"),
        pytest.param(ConnectionRefusedError(), Passing.AWAY, id="nobody listens"),
        pytest.param(
            DBAPIError(None, None, ValueError(), connection_invalidated=True),
            Passing.AWAY,
            id="the connection is gone",
        ),
        pytest.param(refused("23505"), None, id="refused for good"),
        pytest.param(said("no such table"), None, id="refused for good by a file"),
        pytest.param(ValueError(), None, id="a defect"),
    ],
)
def test_why_something_was_not_done_this_time(error: Exception, why: Passing | None) -> None:
    assert passing(error) is why
