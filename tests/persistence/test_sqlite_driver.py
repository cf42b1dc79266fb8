"""The driver waits in a thread, and nobody takes a connection over in the middle of a commit."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from app.persistence.sqlite_driver import SqliteConnection


async def test_a_cancelled_commit_ends_before_anybody_goes_on(tmp_path: Path) -> None:
    connection = SqliteConnection(str(tmp_path / "a.db"), timeout=1)
    may_end, ended = threading.Event(), []

    def commit() -> None:
        may_end.wait(10)
        ended.append(True)

    waiting = asyncio.create_task(connection.wait_for(commit))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    may_end.set()

    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert ended == [True]
    await connection.close()


async def test_a_closed_connection_says_so_and_closes_again(tmp_path: Path) -> None:
    connection = SqliteConnection(str(tmp_path / "a.db"), timeout=1)

    await connection.close()
    await connection.close()

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.cursor()


async def test_a_second_process_that_writes_is_waited_for_and_then_refused(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "a.db")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    connection = SqliteConnection(path, timeout=0.05)

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        await connection.cursor().execute("BEGIN IMMEDIATE")

    other.close()
    await connection.cursor().execute("BEGIN IMMEDIATE")
    await connection.rollback()
    await connection.close()
