"""Plans over FHIR: https://hl7.org/fhir/R4/careplan.html and requestgroup.html

Searches as US Core asks for: https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-careplan.html
"""

from functools import partial

from app.api.fhir.interactions import Ask, Face, Found
from app.api.fhir.queries import Parameter, Query, Token, page_of
from app.api.fhir.reading import OfPlan, PlanReads
from app.integrations.fhir.care_plans import (
    CATEGORIES,
    STATUSES,
    US_CORE,
    care_plan,
    request_group,
)
from app.integrations.fhir.elements import PROTOCOLS
from app.services.plans.searching import PlanSearch, find_plans

_STATUS = "http://hl7.org/fhir/request-status"
_OURS = {theirs: ours for ours, theirs in STATUSES.items()}
_CATEGORY = Token(CATEGORIES, "assess-plan")

_PATIENT = Parameter("patient", "reference", "Who is treated.", ("Patient",), "subject")
_SUBJECT = Parameter("subject", "reference", "Who is treated.", ("Patient",), "subject")
_STATUS_OF = Parameter("status", "token", "The plan's status.", codes=tuple(_OURS))
_IDENTIFIER = Parameter("identifier", "token", "What another system calls the plan.", optional=True)
_CANONICAL = Parameter(
    "instantiates-canonical", "reference", "The protocol, with or without its version."
)


def plan_search(query: Query) -> PlanSearch:
    """Which plans a query is after."""
    statuses = query.codes("status", _STATUS)
    categories = query.any_of("category")
    fits = categories is None or any(_is_category(one) for one in categories)
    canonicals = query.any_of("instantiates-canonical")
    return PlanSearch(
        ids=query.ids("_id") if fits else (),
        patient_ids=query.ids("patient", "subject"),
        parts=query.ids("activity-reference"),
        statuses=statuses and tuple(_OURS[one] for one in statuses if one in _OURS),
        identifiers=query.tokens("identifier"),
        protocols=canonicals and tuple(map(_protocol, canonicals)),
        days=query.days("date"),
        has_identifier=query.has("identifier"),
        has_days=query.has("date"),
        updated=query.instants("_lastUpdated"),
    )


def _is_category(token: Token) -> bool:
    return token.code == _CATEGORY.code and token.system in {None, _CATEGORY.system}


def _protocol(canonical: str) -> tuple[str, str | None]:
    """The key and version in a canonical; one that is not ours names no protocol."""
    url, _, version = canonical.partition("|")
    key = url.removeprefix(f"{PROTOCOLS}:") if url.startswith(f"{PROTOCOLS}:") else ""
    return key, version or None


async def _search(ask: Ask, query: Query, *, build: OfPlan) -> Found:
    found = await find_plans(ask.ctx, plan_search(query), page_of(query))
    return Found(items=tuple(map(build, found.items)), next=found.next, total=found.total)


_PLANS, _GROUPS = PlanReads(care_plan), PlanReads(request_group)

CARE_PLAN = Face(
    type="CarePlan",
    text="A plan: a protocol applied to one patient, with a request for each of its steps.",
    profile=US_CORE,
    mandatory=frozenset({"status", "intent", "subject"}),
    summary=frozenset(
        {
            *("identifier", "instantiatesCanonical", "status", "intent", "category", "title"),
            *("subject", "period", "created", "author", "addresses"),
        }
    ),
    parameters=(
        _PATIENT,
        _SUBJECT,
        Parameter("category", "token", "`assess-plan`, as US Core has it.", codes=("assess-plan",)),
        _STATUS_OF,
        Parameter("date", "date", "Between which days the plan runs.", optional=True),
        _IDENTIFIER,
        _CANONICAL,
        Parameter(
            "activity-reference",
            "reference",
            "A request of the plan.",
            ("RequestGroup", "ServiceRequest"),
            "activity.reference",
        ),
    ),
    sorts=("_id", "_lastUpdated"),
    reverse=("ServiceRequest:based-on", "Provenance:target", "Task:based-on"),
    read=_PLANS.read,
    vread=_PLANS.vread,
    history=_PLANS.history,
    search=partial(_search, build=care_plan),
)
REQUEST_GROUP = Face(
    type="RequestGroup",
    text="The steps of a plan with their days; its id is the plan's.",
    mandatory=frozenset({"status", "intent"}),
    summary=frozenset(
        {
            *("identifier", "instantiatesCanonical", "status", "intent"),
        }
    ),
    parameters=(_PATIENT, _SUBJECT, _STATUS_OF, _IDENTIFIER, _CANONICAL),
    sorts=("_id", "_lastUpdated"),
    read=_GROUPS.read,
    vread=_GROUPS.vread,
    history=_GROUPS.history,
    search=partial(_search, build=request_group),
)
