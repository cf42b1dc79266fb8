"""Plans that are alike in everything but their patients: worked out once, then made again.

A plan whose patient has a life of its own (other plans, reports, absences) is like no other.
"""

import json
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import date
from functools import cached_property
from operator import attrgetter
from uuid import UUID

from app.persistence.plans.bulk import ReadyPlans
from app.persistence.plans.lives import PatientLife
from app.persistence.plans.patterns import ReadyRows, RowPattern
from app.persistence.plans.records import PatientStep
from app.persistence.plans.rows import patient_steps
from app.persistence.tables import JsonList, JsonObject
from app.services.context import Context
from app.services.plans.flagging import concerns_others
from app.services.plans.planning import PlannedPlan, first_revision, plan_created
from app.services.plans.requests import PlanRequest

MAX_REMEMBERED = 200

# What says nothing about a plan's days: it is stored as it is asked for.
_OF_ITS_OWN = frozenset(
    {"patient_id", "patient_identifier", "condition", "practitioner", "note", "identifiers"}
)
_MAPPINGS = ("events", "parameters")
_ALIKE = attrgetter(
    *(f.name for f in fields(PlanRequest) if f.name not in {*_OF_ITS_OWN, *_MAPPINGS})
)


@dataclass(frozen=True, slots=True)
class NewPlan:
    """What is told of a plan that was made; ``today`` is its location's."""

    id: UUID
    attention: JsonList
    today: date


@dataclass(frozen=True, slots=True)
class ReadyPlan:
    """A plan ready to be stored; ``state`` are its facts and choices as they are."""

    new: NewPlan
    state: JsonObject
    rows: ReadyRows
    alike: tuple[PatientStep, ...]
    concerns_others: bool

    def steps(self) -> Iterator[PatientStep]:
        """Its dated steps, as other plans of the patient look at them."""
        return (replace(step, plan_id=self.new.id) for step in self.alike)


class PlanPattern:
    """A plan by which others like it are made. ``ids`` were given to it alone, its own first."""

    def __init__(self, first: ReadyPlan, ids: tuple[UUID, ...], ready: ReadyPlans) -> None:
        self.first = first
        self._ids = ids
        self._ready = ready

    @cached_property
    def _rows(self) -> RowPattern:
        return self._ready.pattern(self.first.rows, self._ids)

    def again(self, ctx: Context, request: PlanRequest, patient_id: UUID) -> ReadyPlan:
        """The plan of another patient, made now. Raises UnstorableValue."""
        ids = ctx.new_ids(len(self._ids))
        own = {
            "patient_id": patient_id,
            "condition": request.condition,
            "practitioner": request.practitioner,
            "note": request.note,
            "created_at": ctx.now,
            "updated_at": ctx.now,
            "at": ctx.now,
        }
        first = self.first.new
        attention = first.attention
        if attention:
            attention = json.loads(self._rows.renamed(json.dumps(attention), ids))
        new = NewPlan(ids[0], attention, first.today)
        return replace(self.first, new=new, rows=self._rows.rows(ids, own))


def pattern_of(ctx: Context, planned: PlannedPlan, ready: ReadyPlans) -> PlanPattern:
    """The first of plans that are alike. Raises UnstorableValue."""
    record, event = planned.record, plan_created(ctx, planned)
    rows = ready.rows_of(record, first_revision(ctx, planned), event)
    changes = (UUID(change["id"]) for change in planned.posted["changes"])
    ids = (record.id, event.id, *(step.id for step in record.steps), *changes)
    new = NewPlan(record.id, record.attention, planned.basis.today)
    steps, concerns = patient_steps(record), concerns_others(record)
    return PlanPattern(ReadyPlan(new, record.state, rows, steps, concerns), ids, ready)


@dataclass(slots=True)
class Patterns:
    """The latest plans by which others of the same request may be made."""

    _known: OrderedDict[Hashable, PlanPattern] = field(default_factory=OrderedDict)
    _sources: list[object] = field(default_factory=list)

    def source(self, made_from: object) -> int:
        """A number that stands for whatever is equal to this."""
        if made_from not in self._sources:
            self._sources.append(made_from)
        return self._sources.index(made_from)

    def find(self, likeness: Hashable | None) -> PlanPattern | None:
        """The plan to go by, if there is one."""
        return None if likeness is None else self._known.get(likeness)

    def keep(self, likeness: Hashable | None, pattern: PlanPattern) -> None:
        """Go by this plan from now on."""
        if likeness is not None:
            self._known[likeness] = pattern
            if len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)


def likeness_of(source: int, request: PlanRequest, life: PatientLife) -> Hashable | None:
    """Equal for requests whose plans differ in nothing but ids and what each has of its own.

    ``source`` stands for everything a plan is made from beside its request and its patient.
    """
    if life.steps or life.events or life.absences:
        return None
    if len(set(request.identifiers)) < len(request.identifiers):
        return None
    # Mappings with their order, in which they are stored.
    given = tuple(request.events.items()), tuple(request.parameters.items())
    return source, life.patient.birth_date, *given, *_ALIKE(request)
