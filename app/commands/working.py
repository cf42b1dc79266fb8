"""The command `worker`: what goes on beside requests, on a PostgreSQL database others serve."""

import asyncio
import signal
import sys

import uvloop

from app.commands.databases import described, require_worker, sqlite_file
from app.commands.failures import CommandFailed
from app.garbage import collect_seldom
from app.logs import configure_logs
from app.persistence.database import open_database
from app.settings import Settings
from app.worker import working


def work(settings: Settings) -> None:
    """Work until a signal says stop. Raises CommandFailed when that is not possible."""
    if sqlite_file(settings.database_url) is not None:
        raise CommandFailed(
            "on SQLite `python -m app serve` does this work: "
            "set REGIMEN_DATABASE_URL to a PostgreSQL database"
        )
    require_worker(settings)
    configure_logs(settings)
    sys.stdout.write(f"Regimen works on {described(settings.database_url)}\nCtrl-C stops it.\n")
    sys.stdout.flush()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(settings))


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    collect_seldom()
    database = open_database(settings.database_url, pool_size=settings.pool_size)
    try:
        async with working(database, settings):
            await stop.wait()
    finally:
        await database.dispose()
