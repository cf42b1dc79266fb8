"""The account of access over FHIR: https://hl7.org/fhir/R4/auditevent.html"""

import re
from contextlib import suppress
from datetime import timedelta

from app.api.fhir.interactions import Ask, Face, Found, Resource
from app.api.fhir.queries import Parameter, Query, refused
from app.integrations.fhir.audit_events import audit_event
from app.services.access import (
    AccessFilter,
    AccessNotFound,
    Place,
    find_access,
    read_access,
)

_ID = re.compile(r"([0-9]{1,15})\.([0-9]{1,6})", re.ASCII)
_TICK = timedelta(microseconds=1)


async def _read(ask: Ask) -> Resource:
    place = _place(ask.id)
    if place is None:
        raise AccessNotFound("no such access")
    return audit_event(ask.id, await read_access(ask.ctx, place))


async def _search(ask: Ask, query: Query) -> Found:
    patients, names = query.ids("patient"), query.words("agent-name")
    for name, values in (("patient", patients), ("agent-name", names)):
        if values == ():
            return Found(items=())
        if values is not None and len(values) > 1:
            raise refused(name, "not-supported", f"'{name}' takes one value")
    bounds = query.instants("date").and_(query.instants("_lastUpdated"))
    if bounds.not_within:
        raise refused("date", "not-supported", "what was not at a time is not searched")
    since = [one for one in (bounds.begins_from, bounds.ends_from) if one is not None]
    until = [one for one in (bounds.begins_until, bounds.ends_until) if one is not None]
    which = AccessFilter(
        patient_id=patients[0] if patients else None,
        credential=names[0] if names else None,
        since=max(since, default=None),
        until=min(until) + _TICK if until else None,
    )
    ids = query.codes("_id")
    if ids is not None:
        return await _named(ask, which, ids)
    found = await find_access(ask.ctx, which, after=query.after, limit=query.count)
    items = tuple(audit_event(f"{n}.{position}", one) for (n, position), one in found.items)
    return Found(items=items, next=found.next)


async def _named(ask: Ask, which: AccessFilter, ids: tuple[str, ...]) -> Found:
    """Those of these ids that fit."""
    found = []
    for id_ in dict.fromkeys(ids):
        place = _place(id_)
        if place is None:
            continue
        with suppress(AccessNotFound):
            access = await read_access(ask.ctx, place)
            found += [audit_event(id_, access)] if which.fits(access) else []
    return Found(items=tuple(found))


def _place(id_: str) -> Place | None:
    found = _ID.fullmatch(id_)
    return None if found is None else (int(found[1]), int(found[2]))


FACE = Face(
    type="AuditEvent",
    text="One access to patients' data, by whom and by which operation, the newest first.",
    mandatory=frozenset({"type", "recorded", "agent", "source"}),
    summary=frozenset({"type", "subtype", "action", "recorded", "outcome"}),
    parameters=(
        Parameter("patient", "reference", "Whose data it was.", ("Patient",), "entity.what"),
        Parameter("agent-name", "string", "By which key, client or person, in full."),
        Parameter("date", "date", "When."),
    ),
    counted=False,
    read=_read,
    search=_search,
)
