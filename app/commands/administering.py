"""The commands `clinics`, `keys` and `clients`: who is served, and who may call."""

import asyncio
import json
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID

from rich.table import Table

from app.api.deps import read_clock
from app.commands.databases import in_reach, require_tables, settings_with
from app.commands.failures import CommandFailed
from app.commands.printing import console
from app.domain.errors import DomainError
from app.domain.permissions import UNRESTRICTED, Role, Scope
from app.integrations.addresses import check_url
from app.integrations.tokens import InvalidToken, check_key_set
from app.persistence.database import Database, open_database
from app.services import access, clinic, credentials, oauth
from app.services.clinic import ClinicRecord
from app.services.context import Context
from app.services.credentials import IssuedKey, KeyRecord
from app.services.oauth import ClientId
from app.settings import Settings

ACTOR = "command line"
MOST_KEYS = 1000

T = TypeVar("T")
Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a command works: an open database and what was asked."""

    database: Database
    asked: Namespace
    takes_keys_of_this_machine: bool


def administer(asked: Namespace) -> None:
    """Do what was asked and print what came of it. Raises CommandFailed."""
    settings = settings_with()
    require_tables(settings)
    with in_reach(settings.database_url):
        asyncio.run(_administer(settings, asked))


async def _administer(settings: Settings, asked: Namespace) -> None:
    database = open_database(settings.database_url, pool_size=1)
    desk = Desk(database, asked, settings.takes_keys_of_this_machine)
    try:
        await ACTIONS[asked.command, asked.action](desk)
    except DomainError as error:
        raise CommandFailed(str(error)) from error
    finally:
        await database.dispose()


async def _create_clinic(desk: Desk) -> None:
    made = await clinic.create_clinic(
        desk.database, desk.asked.name, sandbox=desk.asked.sandbox, now=read_clock()
    )
    console().print(f"{made.id}  {made.name}")


async def _list_clinics(desk: Desk) -> None:
    table = _table("Id", "Name", "Since", "")
    for one in await _every_clinic(desk):
        sandbox = "sandbox" if one.sandbox else ""
        table.add_row(str(one.id), one.name, f"{one.created_at:%Y-%m-%d}", sandbox)
    console().print(table)


async def _create_key(desk: Desk) -> None:
    asked = desk.asked
    role = _one_of(Role, asked.role)
    scopes = frozenset(_one_of(Scope, scope) for scope in asked.scopes) or None
    ends = _ends(asked)
    issued = await _in_clinic(
        desk,
        lambda ctx: credentials.create_key(ctx, asked.name, role, scopes=scopes, expires_at=ends),
    )
    _tell(issued)


async def _list_keys(desk: Desk) -> None:
    table = _table("Begins", "Name", "Role", "Made", "Last used", "Ends")
    for key in await _keys(desk):
        ends = key.revoked_at or key.expires_at
        days = (_day(key.created_at), _day(key.last_used_at), _day(ends))
        table.add_row(key.prefix, key.name, key.role, *days)
    console().print(table)


async def _rotate_key(desk: Desk) -> None:
    key_id, overlap = await _key_id(desk), timedelta(hours=desk.asked.overlap_hours)
    ends = _ends(desk.asked)
    issued = await _in_clinic(
        desk,
        lambda ctx: credentials.rotate_key(ctx, key_id, overlap=overlap, expires_at=ends),
    )
    _tell(issued)
    console().print(f"The old key holds for {desk.asked.overlap_hours} more hours.")


async def _revoke_key(desk: Desk) -> None:
    key_id = await _key_id(desk)
    key = await _in_clinic(desk, lambda ctx: credentials.revoke_key(ctx, key_id))
    console().print(f"{key.prefix} ({key.name}) is revoked; running processes follow within 5 s")


async def _create_client(desk: Desk) -> None:
    asked = desk.asked
    role = _one_of(Role, asked.role)
    scopes = frozenset(_one_of(Scope, scope) for scope in asked.scopes) or None
    jwks = None if asked.jwks is None else _key_set(asked.jwks)
    if asked.jwks_url is not None:
        check_url(asked.jwks_url, loopback=desk.takes_keys_of_this_machine)
    made = await _in_clinic(
        desk,
        lambda ctx: oauth.create_client(
            ctx, asked.name, role, scopes=scopes, jwks=jwks, jwks_url=asked.jwks_url
        ),
    )
    console().print(str(ClientId((await _clinic(desk)).id, made.id)), soft_wrap=True)


async def _list_clients(desk: Desk) -> None:
    found = await _clinic(desk)
    table = _table("Id", "Name", "Role", "Made", "Revoked")
    for one in await _in_clinic(desk, oauth.list_clients):
        days = (_day(one.created_at), _day(one.revoked_at))
        table.add_row(str(ClientId(found.id, one.id)), one.name, one.role, *days)
    console().print(table)


async def _revoke_client(desk: Desk) -> None:
    which = oauth.read_client_id(desk.asked.client)
    await _in_clinic(desk, lambda ctx: oauth.revoke_client(ctx, which.id))
    console().print("It is given no more tokens; those it has end within 5 s")


async def _verify_account(desk: Desk) -> None:
    faults, noted = [], frozenset(desk.asked.noted)
    missing = set(noted)
    for one in await _every_clinic(desk):
        async with desk.database.reading(one.id) as connection:
            ctx = Context(connection, one.id, ACTOR, read_clock(), grant=UNRESTRICTED)
            found = await access.verify(ctx, noted=noted)
        missing -= found.noted
        since = "" if found.since is None else f" since {_day(found.since)}"
        told = (
            f"{one.id}  {one.name}: accesses {found.accesses}{since}, batches {found.batches}, "
            f"last {found.last_number} {found.last_hash}"
        )
        console().print(told.rstrip(), soft_wrap=True)
        if found.fault is not None:
            faults.append(f"{one.id}: {found.fault}")
    if missing:
        faults.append(
            f"noted hashes that no account has: {len(missing)}; what was accounted for until then "
            "was altered, cut off, or older than is kept"
        )
    if faults:
        raise CommandFailed("; ".join(faults))


Action = Callable[[Desk], Awaitable[None]]
ACTIONS: Mapping[tuple[str, str], Action] = MappingProxyType(
    {
        ("clinics", "create"): _create_clinic,
        ("clinics", "list"): _list_clinics,
        ("keys", "create"): _create_key,
        ("keys", "list"): _list_keys,
        ("keys", "rotate"): _rotate_key,
        ("keys", "revoke"): _revoke_key,
        ("clients", "create"): _create_client,
        ("clients", "list"): _list_clients,
        ("clients", "revoke"): _revoke_client,
        ("audit", "verify"): _verify_account,
    }
)


async def _in_clinic(desk: Desk, act: Callable[[Context], Awaitable[T]]) -> T:
    """Do something in the clinic that was named, or in the only one there is."""
    found = await _clinic(desk)
    async with desk.database.writing(found.id) as connection:
        ctx = Context(connection, found.id, ACTOR, read_clock(), grant=UNRESTRICTED)
        return await act(ctx)


async def _clinic(desk: Desk) -> ClinicRecord:
    clinics, wanted = await _every_clinic(desk), desk.asked.clinic
    found = [one for one in clinics if wanted in {None, str(one.id), one.name}]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandFailed("several clinics fit: name one by its id, --clinic ID")
    raise CommandFailed("there is no such clinic; `python -m app clinics list` shows all")


async def _every_clinic(desk: Desk) -> tuple[ClinicRecord, ...]:
    """All clinics; there is always one to be seen by whoever may see any."""
    found = await clinic.every_clinic(desk.database)
    if not found:
        raise CommandFailed("this role may not look over clinics: connect as the tables' owner")
    return found


async def _keys(desk: Desk) -> tuple[KeyRecord, ...]:
    async def read(ctx: Context) -> tuple[KeyRecord, ...]:
        return (await credentials.list_keys(ctx, after=None, limit=MOST_KEYS)).items

    return await _in_clinic(desk, read)


async def _key_id(desk: Desk) -> UUID:
    """The key which begins as asked."""
    found = [key.id for key in await _keys(desk) if key.prefix == desk.asked.prefix]
    if not found:
        raise CommandFailed("there is no such key; `python -m app keys list` shows how each begins")
    return found[0]


def _key_set(file: Path) -> Mapping[str, Any]:
    try:
        return check_key_set(json.loads(file.read_bytes()))
    except OSError as error:
        raise CommandFailed(f"cannot read {file}: {(error.strerror or '').lower()}") from error
    except (ValueError, InvalidToken) as error:
        why = str(error) if isinstance(error, InvalidToken) else "it is no JSON"
        raise CommandFailed(f"{file} cannot be used: {why}") from error


def _one_of(choices: type[Choice], text: str) -> Choice:
    if text not in {choice.value for choice in choices}:
        raise CommandFailed(f"{text!r} must be one of: {', '.join(choices)}")
    return choices(text)


def _ends(asked: Namespace) -> datetime | None:
    return None if asked.days is None else read_clock() + timedelta(days=asked.days)


def _tell(issued: IssuedKey) -> None:
    console().print(issued.key, soft_wrap=True)
    console(stderr=True).print("This is the key. It is shown this once and kept nowhere.")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True, overflow="ignore")
    return table


def _day(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant:%Y-%m-%d}"
