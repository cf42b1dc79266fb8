"""The command `demo`: a sandbox clinic on a fresh SQLite file, a plan in it, then the service.

Everything that the service offers is asked of the application itself, as any client would.
"""

import asyncio
import sqlite3
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI
from rich.console import Console
from sqlalchemy.engine import URL

from app.api.deps import read_clock
from app.commands.asking import Client
from app.commands.chapters import tell_living, tell_making
from app.commands.databases import described, served_alone
from app.commands.failures import CommandFailed
from app.commands.migrating import migrate
from app.commands.printing import console
from app.commands.serving import address, listening, port_of, serve_on
from app.domain.permissions import UNRESTRICTED, Role
from app.logs import configure_logs
from app.main import create_app
from app.persistence.clinics import DEFAULT_CLINIC_ID, ClinicRepository
from app.services.context import Context
from app.services.credentials import create_key
from app.settings import LogLevel, Settings

# Written into the file's header, so that no other file is ever replaced.
MARK = int.from_bytes(b"Rgmn", "big")


def run(settings: Settings, *, file: Path, serve: bool) -> None:
    """Make the demo's database, tell its story, and serve it unless told not to."""
    url = URL.create("sqlite", database=str(file)).render_as_string()
    settings = replace(settings, database_url=url)
    check_replaceable(file)
    # Neither without the port nor under it shall the demo that is running lose its database.
    with (
        listening(settings.host, settings.port) if serve else nullcontext() as sock,
        served_alone(url),
    ):
        if sock is not None:
            settings = replace(settings, port=port_of(sock))
        # A line for each request would stand between the lines of the story.
        configure_logs(replace(settings, log_level=LogLevel.WARNING))
        start_afresh(file)
        migrate(settings)
        app, out = create_app(settings), console()
        day_path, key = asyncio.run(_live(app, out))
        out.print(f"\nAll this is stored in {described(url)}.", soft_wrap=True)
        if sock is not None:
            _tell_where(out, address(sock), day_path, key)
            serve_on(sock, app)


def start_afresh(file: Path) -> None:
    """Put an empty database in the place of the last demo's."""
    for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
        path.unlink(missing_ok=True)
    try:
        connection = sqlite3.connect(file)
        connection.execute(f"PRAGMA application_id = {MARK}")
        connection.close()
    except sqlite3.Error as error:
        raise CommandFailed(f"cannot write {file}: {error}") from error


def check_replaceable(file: Path) -> None:
    """Raises CommandFailed for a file that no demo made: it is somebody's data."""
    if file.exists() and not _is_of_a_demo(file):
        raise CommandFailed(f"{file} was not made by a demo, and is not replaced by one")
    if not file.parent.is_dir():
        raise CommandFailed(f"there is no folder {file.parent}")


def _is_of_a_demo(file: Path) -> bool:
    """Whether the header of a SQLite file has our mark, at bytes 68 to 71."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(72)[68:] == MARK.to_bytes(4, "big")


async def _live(app: FastAPI, out: Console) -> tuple[str, str]:
    """Everything up to serving; gives the address of a day that is refused, and a key."""
    client = Client(app)
    try:
        async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
            await ClinicRepository(connection, DEFAULT_CLINIC_ID).make_sandbox()
        plan = await tell_making(client, out)
        return await tell_living(client, out, plan), await _make_key(app)
    finally:
        await app.state.database.dispose()


async def _make_key(app: FastAPI) -> str:
    """The first key: from now on nothing is open without one."""
    async with app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        ctx = Context(connection, DEFAULT_CLINIC_ID, "demo", read_clock(), grant=UNRESTRICTED)
        issued = await create_key(ctx, "demo", Role.APPROVER)
    app.state.callers.forget()
    return issued.key


def _tell_where(out: Console, place: str, day_path: str, key: str) -> None:
    plan_path = day_path.partition("/steps/")[0]
    curl = 'curl -s -H "Authorization: Bearer $KEY"'
    out.print(
        f"\nServing it at {place} until Ctrl-C. Documentation: {place}/docs\n"
        "Try in another terminal, with this key of an approver:\n"
        f"  KEY={key}\n"
        f"  {curl} {place}/v1/plans\n"
        f"  {curl} {place}{plan_path}\n"
        f"  {curl} {place}{plan_path}/history\n"
        f"  {curl} {place}{day_path}",
        soft_wrap=True,
    )
