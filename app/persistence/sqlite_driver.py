"""SQLite under SQLAlchemy's asynchronous engine, leaving the event loop only where it may wait.

aiosqlite sends every single call to a thread and back, which costs several times what SQLite needs
for it, and more when the loop is busy. SQLite waits for two things only: at BEGIN for another
process, if one writes, and at COMMIT for the disk. Then a thread waits; what lies between works on
pages in memory and is done at once.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

CACHED_STATEMENTS = 256


class SqliteConnection:
    """A connection with the methods which SQLAlchemy's adapter for aiosqlite calls.

    What is asked often is asked beside SQLAlchemy, by the names that asyncpg has for it.
    """

    def __init__(self, path: str, *, timeout: float) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite")
        self._timeout_milliseconds = int(timeout * 1000)
        # Used by the loop's thread and the other one in turn, never by both at once. Without an
        # isolation level the driver opens no transactions by itself.
        self._connection: sqlite3.Connection | None = sqlite3.connect(
            path,
            timeout=timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=CACHED_STATEMENTS,
        )

    @property
    def isolation_level(self) -> None:
        """There is none: transactions begin with a statement."""
        return None

    def cursor(self) -> "SqliteCursor":
        """A new cursor."""
        return SqliteCursor(self)

    async def create_function(self, *args: Any, **options: Any) -> None:
        """Let SQL call a function."""
        self.open().create_function(*args, **options)

    async def begin(self, statement: str) -> None:
        """Begin a transaction: at once, or where another process writes as soon as it is done."""
        if not self._begins_at_once(statement):
            await self.wait_for(lambda: self.open().execute(statement))

    def _begins_at_once(self, statement: str) -> bool:
        connection = self.open()
        connection.execute("PRAGMA busy_timeout=0")
        try:
            connection.execute(statement)
        except sqlite3.OperationalError:
            return False
        finally:
            connection.execute(f"PRAGMA busy_timeout={self._timeout_milliseconds}")
        return True

    async def commit(self) -> None:
        """End the transaction and wait for the disk."""
        await self.wait_for(self.open().commit)

    async def rollback(self) -> None:
        """Forget the transaction."""
        self.open().rollback()

    async def close(self) -> None:
        """Close at once; closing again does nothing."""
        self.stop()

    def stop(self) -> None:
        """Close without waiting for anything."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._thread.shutdown(wait=False)

    def open(self) -> sqlite3.Connection:
        """The connection. Raises sqlite3's error when it was closed."""
        if self._connection is None:
            raise sqlite3.ProgrammingError("the connection is closed")
        return self._connection

    def is_closed(self) -> bool:
        """Whether it can be asked nothing any more."""
        return self._connection is None

    def is_in_transaction(self) -> bool:
        """Whether a transaction was begun and not ended."""
        return self.open().in_transaction

    async def fetch(self, statement: str, *parameters: Any) -> list[Any]:
        """Every row of a query, asked without SQLAlchemy: as asyncpg is asked."""
        return self.open().execute(statement, parameters).fetchall()

    async def execute(self, statement: str, *parameters: Any) -> str:
        """Run a statement; how many rows it touched is the last word of what is given."""
        return f"rows {self.open().execute(statement, parameters).rowcount}"

    async def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for every row."""
        self.open().executemany(statement, rows)

    async def wait_for(self, work: Callable[[], T]) -> T:
        """Do in the thread what may wait. Whoever is cancelled meanwhile waits for its end:

        a commit that was begun must not go on under the next user of the connection.
        """
        done = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])
            raise


class SqliteCursor:
    """Runs one statement and has all its rows at once."""

    def __init__(self, connection: SqliteConnection) -> None:
        self._owner = connection
        self._cursor = connection.open().cursor()

    @property
    def description(self) -> Any:
        """The columns of the rows, or None."""
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        return self._cursor.rowcount

    async def __aenter__(self) -> "SqliteCursor":
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement; the beginning of a transaction may wait for another process."""
        if statement.startswith("BEGIN"):
            await self._owner.begin(statement)
        else:
            self._cursor.execute(statement, parameters)

    async def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once for every row."""
        self._cursor.executemany(statement, rows)

    async def fetchall(self) -> list[Any]:
        """Every row."""
        return self._cursor.fetchall()

    async def close(self) -> None:
        """Give the statement back."""
        self._cursor.close()
