"""Clinics, and their own rules, which hold for every plan beside its protocol's."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from app.domain.documents import ClinicRules, clinic_rules_to_data, parse_clinic_rules
from app.domain.protocols import Protocol
from app.domain.rules import Rule
from app.persistence import clinics
from app.persistence.clinics import (
    ClinicRecord,
    ClinicRepository,
    ClinicRulesChangedMeanwhile,
    ClinicRulesRepository,
)
from app.persistence.database import Database
from app.services import events
from app.services.context import Context, id_at
from app.services.events import EventType
from app.services.library import library_clinic_rules

__all__ = ["ClinicRecord", "ClinicRulesChangedMeanwhile"]

MAX_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class StoredRules:
    """The rules as a document; revision 0 are the built-in ones, never saved."""

    document: dict[str, Any]
    revision: int
    updated_at: datetime | None


async def create_clinic(
    database: Database, name: str, *, sandbox: bool, now: datetime
) -> ClinicRecord:
    """A new clinic, in which there is nothing yet."""
    clinic_id = id_at(now)
    async with database.writing(clinic_id) as connection:
        repository = ClinicRepository(connection, clinic_id)
        await repository.add(name, sandbox=sandbox, now=now)
        return await repository.get()


async def every_clinic(database: Database) -> tuple[ClinicRecord, ...]:
    """All clinics of the database, for whoever runs it."""
    async with database.overlooking() as connection:
        return await clinics.every_clinic(connection)


async def get_clinic_rules(ctx: Context) -> StoredRules:
    """The clinic's rules: its own once they were saved, before that the built-in ones."""
    stored = await ClinicRulesRepository(ctx.connection, ctx.clinic_id).get()
    document = stored.document if stored.revision else clinic_rules_to_data(library_clinic_rules())
    return StoredRules(document, stored.revision, stored.updated_at)


async def save_clinic_rules(ctx: Context, document: object, *, revision: int) -> StoredRules:
    """Replace the clinic's rules; plans are not looked at.

    Raises InvalidClinicRules with every fault, or ClinicRulesChangedMeanwhile.
    """
    data = clinic_rules_to_data(parse_clinic_rules(document))
    repository = ClinicRulesRepository(ctx.connection, ctx.clinic_id)
    saved = await repository.save(data, revision=revision, now=ctx.now)
    await events.append(ctx, EventType.CLINIC_RULES_CHANGED, revision=saved)
    return StoredRules(data, saved, ctx.now)


async def rules_document(ctx: Context) -> str | None:
    """The rules which the clinic has saved, if it has."""
    stored = await ClinicRulesRepository(ctx.connection, ctx.clinic_id).get()
    return json.dumps(stored.document) if stored.revision else None


def applied(document: str | None, protocol: Protocol) -> tuple[Rule, ...]:
    """The rules of a saved document, else the library's, for the steps of a protocol."""
    rules = library_clinic_rules() if document is None else _parsed(document)
    return _applied(rules, protocol)


# By identity: both are read once and then kept, and comparing them takes longer than applying.
_known: dict[tuple[int, int], tuple[ClinicRules, Protocol, tuple[Rule, ...]]] = {}


def _applied(rules: ClinicRules, protocol: Protocol) -> tuple[Rule, ...]:
    key = (id(rules), id(protocol))
    if key not in _known:
        if len(_known) >= MAX_REMEMBERED:
            _known.clear()
        _known[key] = (rules, protocol, rules.rules_for(protocol))
    return _known[key][2]


@lru_cache(maxsize=MAX_REMEMBERED)
def _parsed(document: str) -> ClinicRules:
    """Reading rules takes milliseconds, and every plan needs them."""
    return parse_clinic_rules(json.loads(document))
