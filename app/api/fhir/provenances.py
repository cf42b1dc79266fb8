"""Revisions of plans over FHIR: https://hl7.org/fhir/R4/provenance.html"""

import re
from typing import Any
from uuid import UUID

from app.api.fhir.interactions import Ask, Face, Found, Resource
from app.api.fhir.queries import Parameter, Query, Token, page_of, uuid_in
from app.integrations.fhir.provenances import provenance
from app.services.listing import SearchPage
from app.services.plans import RevisionNotFound
from app.services.plans.searching import RevisionSearch, find_revisions

_ID = re.compile(r"([0-9a-f-]{36})\.([1-9][0-9]{0,6})", re.ASCII)

Named = tuple[UUID, int | None]


async def _read(ask: Ask) -> Resource:
    wanted = RevisionSearch(of=_named(ask.id))
    found = await find_revisions(ask.ctx, wanted, SearchPage(limit=1))
    for plan_id, revision in found.items:
        return provenance(plan_id, revision)
    raise RevisionNotFound("no plan has such a revision")


async def _search(ask: Ask, query: Query) -> Found:
    wanted = RevisionSearch(
        of=_wanted(query),
        patient_ids=query.ids("patient"),
        recorded=query.instants("recorded").and_(query.instants("_lastUpdated")),
    )
    found = await find_revisions(ask.ctx, wanted, page_of(query))
    items = tuple(provenance(plan_id, revision) for plan_id, revision in found.items)
    return Found(items=items, next=found.next, total=found.total)


def _wanted(query: Query) -> tuple[Named, ...] | None:
    """The revisions that are named, by their ids or as revisions of plans."""
    ids, targets = query.any_of("_id"), query.any_of("target")
    named = None if ids is None else [one for id_ in ids for one in _named(id_)]
    aims = None if targets is None else [one for t in targets for one in _targeted(t)]
    if named is None or aims is None:
        found = aims if named is None else named
        return None if found is None else tuple(found)
    return tuple(one for one in named if one in aims or (one[0], None) in aims)


def _targeted(target: str) -> tuple[Named, ...]:
    """The plan that is pointed to, and the revision if it is one."""
    plan_id = uuid_in(target)
    return _named(target) if plan_id is None else ((plan_id, None),)


def _named(id_: Any) -> tuple[Named, ...]:
    """The plan and revision in an id."""
    found = _ID.fullmatch(id_.code if isinstance(id_, Token) else id_)
    plan_id = None if found is None else uuid_in(found.group(1))
    return () if found is None or plan_id is None else ((plan_id, int(found.group(2))),)


FACE = Face(
    type="Provenance",
    text="What made a revision of a plan: who, when, why, and why each day moved.",
    mandatory=frozenset({"target", "recorded", "agent"}),
    summary=frozenset({"target", "recorded"}),
    parameters=(
        Parameter(
            "target",
            "reference",
            "The plan, or one version of it.",
            ("CarePlan",),
            "target",
            versioned=True,
        ),
        Parameter("patient", "reference", "Whose plan it is.", ("Patient",)),
        Parameter("recorded", "date", "When it was made."),
    ),
    read=_read,
    search=_search,
)
