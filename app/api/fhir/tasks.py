"""What waits for a person over FHIR: https://hl7.org/fhir/R4/task.html"""

from collections.abc import AsyncIterator
from uuid import UUID

from app.api.fhir.interactions import Ask, Face, Found, Key, Resource
from app.api.fhir.queries import Parameter, Query, uuid_in
from app.api.fhir.reading import own_id
from app.integrations.fhir.elements import OWN
from app.integrations.fhir.tasks import plan_of, tasks
from app.services import plans
from app.services.listing import SearchPage
from app.services.plans import PlanNotFound
from app.services.plans.searching import PlanSearch, find_plans

_STATUS = "http://hl7.org/fhir/task-status"
_CODES = ("decision", "breach", "undated", "missed", "start")
_CHUNK = 50


async def _read(ask: Ask) -> Resource:
    missing = PlanNotFound("no such task, or nobody waits for it any more")
    found = await plans.read_plan(ask.ctx, own_id(plan_of(ask.id), missing))
    for task in tasks(found.view):
        if task["id"] == ask.id:
            return task
    raise missing


async def _search(ask: Ask, query: Query) -> Found:
    """Tasks plan by plan; a plan has few of them."""
    found: list[Resource] = []
    async for task in _tasks(ask, query, query.after):
        if len(found) > query.count:
            break
        found.append(task)
    total = None
    if query.total:
        total = len([task async for task in _tasks(ask, query, None)])
    shown = tuple(found[: query.count])
    more = len(found) > query.count and shown
    return Found(items=shown, next=(shown[-1]["id"],) if more else None, total=total)


async def _tasks(ask: Ask, query: Query, after: Key | None) -> AsyncIterator[Resource]:
    """The tasks that fit, beginning after one, in the order of their plans."""
    key: Key | None = None
    if after is not None:
        key = (plan_of(str(after[0])),)
        for task in await _left(ask, str(after[0])):
            if _fits(query, task):
                yield task
    while True:
        page = await find_plans(ask.ctx, _plans(query), SearchPage(limit=_CHUNK, after=key))
        for task in (task for view in page.items for task in tasks(view) if _fits(query, task)):
            yield task
        if page.next is None:
            return
        key = page.next


async def _left(ask: Ask, begun: str) -> list[Resource]:
    """The tasks of the plan of one, after that one."""
    which = PlanSearch(ids=(UUID(plan_of(begun)),))
    found = await find_plans(ask.ctx, which, SearchPage(limit=1))
    known = [task for view in found.items for task in tasks(view)]
    places = [place for place, task in enumerate(known) if task["id"] == begun]
    return known[places[0] + 1 :] if places else []


def _plans(query: Query) -> PlanSearch:
    """The plans in which the tasks are looked for."""
    of_ids = query.any_of("_id")
    found = query.ids("based-on")
    if of_ids is not None:
        plan_ids = {id_ for one in of_ids if (id_ := uuid_in(plan_of(one.code)))}
        found = tuple(plan_ids if found is None else plan_ids & set(found))
    return PlanSearch(
        ids=found,
        patient_ids=query.ids("patient", "subject"),
        updated=query.instants("_lastUpdated"),
        waiting=True,
    )


def _fits(query: Query, task: Resource) -> bool:
    statuses, codes = query.codes("status", _STATUS), query.codes("code", f"{OWN}:task")
    ids = query.codes("_id")
    return (
        (statuses is None or task["status"] in statuses)
        and (codes is None or task["code"]["coding"][0]["code"] in codes)
        and (ids is None or task["id"] in ids)
    )


FACE = Face(
    type="Task",
    text="A decision to be taken, or what else of a plan a person must look at; it ends when done.",
    mandatory=frozenset({"status", "intent"}),
    summary=frozenset(
        {"basedOn", "status", "intent", "code", "description", "focus", "for", "lastModified"}
    ),
    parameters=(
        Parameter("patient", "reference", "Whose plan it is.", ("Patient",), "for"),
        Parameter("subject", "reference", "Whose plan it is.", ("Patient",), "for"),
        Parameter("based-on", "reference", "The plan.", ("CarePlan",), "basedOn"),
        Parameter("status", "token", "`requested`: nothing else is kept.", codes=("requested",)),
        Parameter("code", "token", f"One of {', '.join(_CODES)}.", codes=_CODES),
    ),
    read=_read,
    search=_search,
)
