"""What faces over plans share: ids and versions in addresses, resources built from plans."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from app.api.etags import revision_in
from app.api.fhir.interactions import Ask, Found, Resource
from app.api.fhir.queries import Query, uuid_in
from app.domain.errors import DomainError
from app.domain.states import PlanStatus, StepStatus
from app.services import plans
from app.services.listing import Searched
from app.services.plans import (
    PlanChangedMeanwhile,
    PlanNotFound,
    PlanView,
    RevisionNotFound,
    StepNotFound,
    StepView,
)
from app.services.plans.searching import (
    StepOfPlan,
    StepState,
    list_versions_of_plan,
    read_step,
)

OfPlan = Callable[[PlanView], Resource]
OfStep = Callable[[PlanView, StepView], Resource | None]


def own_id(text: str, not_found: DomainError) -> UUID:
    """An id in an address; what is none of ours is found nowhere."""
    found = uuid_in(text)
    if found is None:
        raise not_found
    return found


def plan_id(ask: Ask) -> UUID:
    """The id of a plan. Raises PlanNotFound."""
    return own_id(ask.id, PlanNotFound("no such plan"))


def step_id(ask: Ask) -> UUID:
    """The id of a planned step. Raises StepNotFound."""
    return own_id(ask.id, StepNotFound("no plan has such a step"))


async def step_as_known(ask: Ask) -> StepOfPlan:
    """The planned step that is to be changed, which the client knows as it is.

    Raises PreconditionMissing, IfMatchRefused, StepNotFound or PlanChangedMeanwhile.
    """
    revision = revision_in(ask.headers.get("if-match"))
    found = await read_step(ask.ctx, step_id(ask))
    if found.plan.revision != revision:
        raise PlanChangedMeanwhile("the plan was changed meanwhile")
    return found


def built(found: Searched[StepOfPlan], build: OfStep) -> Found:
    """What a search for steps found, as resources."""
    items = (build(one.plan, one.step) for one in found.items)
    return Found(
        items=tuple(one for one in items if one is not None), next=found.next, total=found.total
    )


@dataclass(frozen=True, slots=True)
class PlanReads:
    """The reads of a resource that is made from a whole plan."""

    build: OfPlan

    async def read(self, ask: Ask) -> Resource:
        """The plan as it is."""
        return self.build((await plans.read_plan(ask.ctx, plan_id(ask))).view)

    async def vread(self, ask: Ask) -> Resource:
        """The plan as a revision gave it."""
        found = await plans.read_revision(ask.ctx, plan_id(ask), _revision(ask))
        return self.build(found.view)

    async def history(self, ask: Ask, query: Query) -> Found:
        """The plan as each of its revisions gave it, the newest first."""
        return await _versions(ask, query, plan_id(ask), lambda view: [self.build(view)])


@dataclass(frozen=True, slots=True)
class StepReads:
    """The reads of a resource that is made from one step of a plan."""

    build: OfStep

    async def read(self, ask: Ask) -> Resource:
        """The step as it is."""
        found = await read_step(ask.ctx, step_id(ask))
        return self.one(found.plan, found.step.id)

    async def vread(self, ask: Ask) -> Resource:
        """The step as a revision of its plan gave it."""
        found = await read_step(ask.ctx, step_id(ask))
        of_plan = await plans.read_revision(ask.ctx, UUID(found.plan.id), _revision(ask))
        return self.one(of_plan.view, found.step.id)

    async def history(self, ask: Ask, query: Query) -> Found:
        """The step as each revision of its plan gave it, the newest first."""
        found = await read_step(ask.ctx, step_id(ask))
        return await _versions(
            ask, query, UUID(found.plan.id), lambda view: self._all(view, found.step.id)
        )

    def one(self, view: PlanView, id_: str) -> Resource:
        """The resource of a step. Raises StepNotFound where it has none."""
        found = self._all(view, id_)
        if not found:
            raise StepNotFound("the step is not such a resource")
        return found[0]

    def _all(self, view: PlanView, id_: str) -> list[Resource]:
        built = [self.build(view, step) for step in view.steps if step.id == id_]
        return [one for one in built if one is not None]


async def _versions(
    ask: Ask, query: Query, of: UUID, build: Callable[[PlanView], Iterable[Resource]]
) -> Found:
    before = None if query.after is None else int(query.after[0])
    limit = min(query.count, MOST_VERSIONS)
    found = await list_versions_of_plan(ask.ctx, of, before=before, since=query.since, limit=limit)
    items = tuple(one for view in found.items for one in build(view))
    return Found(items=items, next=found.next)


# A version is a whole plan, read and written.
MOST_VERSIONS = 50


def _revision(ask: Ask) -> int:
    """The number in an address. Raises RevisionNotFound."""
    if not (ask.version.isascii() and ask.version.isdecimal() and len(ask.version) < 8):
        raise RevisionNotFound("the plan has no such revision")
    return int(ask.version)


def states_of(
    wanted: Iterable[str],
    status_of: Callable[[str, str], str | None],
    *,
    tentative: bool | None = None,
    dated: bool | None = None,
) -> list[StepState]:
    """The states of steps whose status in FHIR is one of those wanted.

    The function that gives a status is the one definition of it; here it is only turned round.
    """
    found: dict[frozenset[str], set[str]] = {}
    wanted = set(wanted)
    for plan in PlanStatus:
        statuses = frozenset(one for one in StepStatus if status_of(plan, one) in wanted)
        if statuses:
            found.setdefault(statuses, set()).add(plan)
    return [
        StepState(frozenset(of), statuses, tentative=tentative, dated=dated)
        for statuses, of in found.items()
    ]
