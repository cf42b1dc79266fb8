"""Searches over plans, their steps and their revisions, and the plans of a page read at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    ColumnElement,
    SQLColumnExpression,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    text,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import Select

from app.domain.offsets import FIRST_DAY, LAST_DAY
from app.domain.states import AppointmentStatus
from app.persistence.bounds import NO_BOUNDS, Bounds
from app.persistence.plans.arrays import array, collected
from app.persistence.plans.records import PlanView, RevisionRecord
from app.persistence.plans.rows import view_from_data, view_of
from app.persistence.plans.statements import (
    SHOWN_OF_PLAN,
    SHOWN_OF_STEP,
    with_place_and_version,
)
from app.persistence.records import columns_of
from app.persistence.searches import Ids, Key, SearchPage, Sorting, holding, page_of_ids
from app.persistence.tables import (
    UNTIMED_SPAN,
    PlanIdentifierRow,
    PlannedStepRow,
    PlanRevisionRow,
    PlanRow,
)

_REVISION = columns_of(PlanRevisionRow, RevisionRecord)
_NAMES = tuple(column.key for column in _REVISION)
_STEP_OF_PLAN = (
    PlannedStepRow.clinic_id == PlanRow.clinic_id,
    PlannedStepRow.plan_id == PlanRow.id,
)
_NAMED = (
    PlanIdentifierRow.clinic_id == PlanRow.clinic_id,
    PlanIdentifierRow.plan_id == PlanRow.id,
)
_DECISIONS_WAIT = exists().where(
    *_STEP_OF_PLAN,
    PlannedStepRow.kind == "decision",
    PlannedStepRow.status.in_(("proposed", "planned", "booked", "missed")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSearch:
    """Which plans a search is after; None does not matter, of each tuple one must fit."""

    ids: tuple[UUID, ...] | None = None
    patient_ids: tuple[UUID, ...] | None = None
    parts: tuple[UUID, ...] | None = None
    """Steps of which it must have one; the plan's own id stands for all of them."""
    statuses: tuple[str, ...] | None = None
    identifiers: tuple[tuple[tuple[str | None, str], ...], ...] = ()
    protocols: tuple[tuple[str, str | None], ...] | None = None
    """Keys, each with its version or of any."""
    days: Bounds[date] = NO_BOUNDS
    """Between which the plan's first and last day lie."""
    has_identifier: bool | None = None
    has_days: bool | None = None
    updated: Bounds[datetime] = NO_BOUNDS
    waiting: bool = False
    """Only living plans in which a decision or a review waits for a person."""


@dataclass(frozen=True, slots=True)
class StepState:
    """Some of the states in which steps may be; None does not matter."""

    plan_statuses: frozenset[str]
    statuses: frozenset[str]
    tentative: bool | None = None
    appointments: frozenset[str | None] | None = None
    """What became of their appointments; None among them is a step that has none."""
    dated: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSearch:
    """Which steps a search is after; None does not matter, of each tuple one must fit."""

    ids: tuple[UUID, ...] | None = None
    plan_ids: tuple[UUID, ...] | None = None
    patient_ids: tuple[UUID, ...] | None = None
    location_ids: tuple[UUID, ...] | None = None
    keys: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    states: tuple[StepState, ...] | None = None
    days: Bounds[date] = NO_BOUNDS
    """Those on which steps are, or begin."""
    windows: Bounds[date] = NO_BOUNDS
    """Those between which they may be; what has no window is on its day, or lasts until its end."""
    has_window: bool | None = None
    """Whether there are any such days."""
    updated: Bounds[datetime] = NO_BOUNDS


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionSearch:
    """Which revisions a search is after."""

    of: tuple[tuple[UUID, int | None], ...] | None = None
    """Plans, each with one revision or all."""
    patient_ids: tuple[UUID, ...] | None = None
    recorded: Bounds[datetime] = NO_BOUNDS


class PlanSearches:
    """Searches over the plans of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def plans(self, wanted: PlanSearch, page: SearchPage) -> Ids:
        """The ids of one page of the plans that fit."""
        which = [PlanRow.clinic_id == self._clinic_id, *_of_plans(wanted)]
        by = {"_lastUpdated": PlanRow.updated_at}
        return await page_of_ids(self._connection, PlanRow.id, which, page, by=by)

    async def steps(self, wanted: StepSearch, page: SearchPage) -> Ids:
        """The ids of one page of the steps that fit."""
        which = [PlannedStepRow.clinic_id == self._clinic_id, *_STEP_OF_PLAN, *_of_steps(wanted)]
        by_window = wanted.windows != NO_BOUNDS
        day: SQLColumnExpression[Any] = PlannedStepRow.day
        if wanted.days == NO_BOUNDS:
            day = func.coalesce(day, LAST_DAY, type_=PlannedStepRow.day.type)
        by = {"_lastUpdated": PlanRow.updated_at, "date": day, "due": PlannedStepRow.due_until}
        parts: list[ColumnElement[bool]] = []
        if not page.sorts and (by_window or wanted.days != NO_BOUNDS):
            # In the order of an index: who asks for days wants to see them in order anyway.
            page = replace(page, sorts=(Sorting("due" if by_window else "date"),))
            parts = _parts_by_window(wanted)
        id_ = PlannedStepRow.id
        return await page_of_ids(self._connection, id_, which, page, by=by, parts=parts)

    async def plans_of(self, step_ids: Sequence[UUID]) -> tuple[UUID, ...]:
        """The plans to which these steps belong."""
        if not step_ids:
            return ()
        found = await self._connection.execute(
            select(PlannedStepRow.plan_id)
            .where(PlannedStepRow.clinic_id == self._clinic_id, PlannedStepRow.id.in_(step_ids))
            .distinct()
        )
        return tuple(found.scalars())

    async def views(self, ids: Sequence[UUID]) -> tuple[PlanView, ...]:
        """These plans as they are shown, in this order."""
        if not ids:
            return ()
        statement = _views(self._connection.dialect.name).where(
            PlanRow.clinic_id == self._clinic_id, PlanRow.id.in_(ids)
        )
        rows = await self._connection.execute(statement)
        found = [view_of(str(whole)) for whole in rows.scalars()]
        places = {str(id_): place for place, id_ in enumerate(ids)}
        return tuple(sorted(found, key=lambda view: places[view.id]))

    async def kept(
        self, plan_id: UUID, *, before: int | None, since: datetime | None, limit: int
    ) -> tuple[tuple[int, PlanView | None], ...]:
        """A plan as its revisions gave it, the newest first; None is the plan as it is now."""
        which = [] if before is None else [PlanRevisionRow.revision < before]
        which += [] if since is None else [PlanRevisionRow.at >= since]
        found = await self._connection.execute(
            select(PlanRevisionRow.revision, PlanRevisionRow.snapshot)
            .where(
                PlanRevisionRow.clinic_id == self._clinic_id,
                PlanRevisionRow.plan_id == plan_id,
                *which,
            )
            .order_by(PlanRevisionRow.revision.desc())
            .limit(limit)
        )
        return tuple((n, view_from_data(kept) if kept else None) for n, kept in found)

    async def revisions(
        self, wanted: RevisionSearch, page: SearchPage
    ) -> tuple[list[tuple[UUID, RevisionRecord]], Key | None, int | None]:
        """One page of the revisions that fit, with their plans: by plan, then by number."""
        which = [PlanRevisionRow.clinic_id == self._clinic_id, *_of_revisions(wanted)]
        total = None
        if page.counted:
            counted = await self._connection.execute(select(func.count()).where(*which))
            total = int(counted.scalar_one())
        if page.after is not None:
            which.append(_beyond(UUID(str(page.after[0])), int(page.after[1])))
        found = await self._connection.execute(
            select(PlanRevisionRow.plan_id, *_REVISION)
            .where(*which)
            .order_by(PlanRevisionRow.plan_id, PlanRevisionRow.revision)
            .limit(page.limit + 1)
        )
        rows = [
            (plan_id, RevisionRecord(**dict(zip(_NAMES, values, strict=True))))
            for plan_id, *values in found
        ]
        shown = rows[: page.limit]
        more = len(rows) > page.limit and shown
        return shown, (str(shown[-1][0]), shown[-1][1].revision) if more else None, total


@cache
def _views(dialect: str) -> Select[*tuple[Any, ...]]:
    """Plans as ``read_plan`` has one, each with all that is shown of it."""
    steps = select(collected(dialect, SHOWN_OF_STEP)).where(*_STEP_OF_PLAN)
    named = select(collected(dialect, (PlanIdentifierRow.system, PlanIdentifierRow.value))).where(
        *_NAMED
    )
    parts = [
        type_coerce(part.correlate(PlanRow).scalar_subquery(), JSON) for part in (steps, named)
    ]
    whole = array(dialect, (*SHOWN_OF_PLAN, *parts))
    return with_place_and_version(select(cast(whole, Text)).select_from(PlanRow))


def _one_of(pairs: Sequence[tuple[Any, tuple[Any, ...] | None]]) -> list[ColumnElement[bool]]:
    return [column.in_(values) for column, values in pairs if values is not None]


def _of_plans(wanted: PlanSearch) -> list[ColumnElement[bool]]:
    which = _one_of(
        [
            (PlanRow.id, wanted.ids),
            (PlanRow.patient_id, wanted.patient_ids),
            (PlanRow.status, wanted.statuses),
        ]
    )
    first, last = (
        select(extreme).where(*_STEP_OF_PLAN).correlate(PlanRow).scalar_subquery()
        for extreme in (
            func.min(PlannedStepRow.day),
            func.max(func.coalesce(PlannedStepRow.end_day, PlannedStepRow.day)),
        )
    )
    which += [*wanted.days.of(first, last), *_updated(wanted.updated)]
    which += holding(
        (wanted.has_identifier, exists().where(*_NAMED)),
        (wanted.has_days, exists().where(*_STEP_OF_PLAN, PlannedStepRow.day.is_not(None))),
    )
    for group in wanted.identifiers:
        which.append(or_(*(_named(system, value) for system, value in group)))
    if wanted.protocols is not None:
        which.append(or_(*(_follows(key, version) for key, version in wanted.protocols)))
    if wanted.parts is not None:
        has = exists().where(*_STEP_OF_PLAN, PlannedStepRow.id.in_(wanted.parts))
        which.append(or_(PlanRow.id.in_(wanted.parts), has))
    if wanted.waiting:
        which.append(PlanRow.status.in_(("draft", "active", "on_hold")))
        which.append(or_(PlanRow.needs_attention, _DECISIONS_WAIT))
    return which


def _of_steps(wanted: StepSearch) -> list[ColumnElement[bool]]:
    which = _one_of(
        [
            (PlannedStepRow.id, wanted.ids),
            (PlannedStepRow.plan_id, wanted.plan_ids),
            (PlanRow.patient_id, wanted.patient_ids),
            (PlannedStepRow.location_id, wanted.location_ids),
            (PlannedStepRow.key, wanted.keys),
            (PlannedStepRow.kind, wanted.kinds),
        ]
    )
    day, has_window = PlannedStepRow.day, PlannedStepRow.window_target.is_not(None)
    which += wanted.days.of(day, day)
    which += wanted.windows.of(
        case((has_window, func.coalesce(PlannedStepRow.window_earliest, FIRST_DAY)), else_=day),
        case(
            (has_window, func.coalesce(PlannedStepRow.window_latest, LAST_DAY)),
            else_=func.coalesce(PlannedStepRow.end_day, day),
        ),
    )
    which += holding((wanted.has_window, or_(has_window, day.is_not(None))))
    if wanted.states is not None:
        which.append(or_(*map(_is_in, wanted.states)) if wanted.states else PlanRow.id.is_(None))
    return [*which, *_updated(wanted.updated)]


def _parts_by_window(wanted: StepSearch) -> list[ColumnElement[bool]]:
    """Where to look for steps that may be on some days, so that indexes serve: each is in one part.

    Without any no such index is wanted: steps of a patient or a plan are few, whatever their days.
    """
    bounds = wanted.windows
    first, last = bounds.reach()
    of_few = (wanted.ids, wanted.plan_ids, wanted.patient_ids) != (None, None, None)
    if of_few or (first is None and last is None):
        return []
    within = [] if first is None else [PlannedStepRow.due_until >= first]
    within += [] if last is None else [PlannedStepRow.due_from <= last]
    if bounds.ends_from is None:
        return [and_(*within)]
    # A span without a window is due on its first day, and lasts.
    of_window = or_(PlannedStepRow.end_day.is_(None), PlannedStepRow.window_target.is_not(None))
    return [
        and_(*within, of_window),
        and_(text(UNTIMED_SPAN), PlannedStepRow.end_day >= bounds.ends_from),
    ]


def _updated(bounds: Bounds[datetime]) -> list[ColumnElement[bool]]:
    return bounds.of(PlanRow.updated_at, PlanRow.updated_at)


def _is_in(state: StepState) -> ColumnElement[bool]:
    dated = and_(PlannedStepRow.day.is_not(None), PlannedStepRow.end_day.is_(None))
    return and_(
        PlannedStepRow.plan_status.in_(sorted(state.plan_statuses)),
        PlannedStepRow.status.in_(sorted(state.statuses)),
        *holding((state.tentative, PlannedStepRow.tentative.is_(True)), (state.dated, dated)),
        *([] if state.appointments is None else [_appointed(state.appointments)]),
    )


def _appointed(wanted: frozenset[str | None]) -> ColumnElement[bool]:
    """Whether a step's appointment is one of these; bookings of former versions do not say."""
    theirs = PlannedStepRow.appointment
    status = func.coalesce(theirs["status"].as_string(), AppointmentStatus.BOOKED.value)
    known = sorted(one for one in wanted if one is not None)
    has_one = and_(theirs.is_not(None), status.in_(known))
    return or_(theirs.is_(None), has_one) if None in wanted else has_one


def _named(system: str | None, value: str) -> ColumnElement[bool]:
    of_system = [] if system is None else [PlanIdentifierRow.system == system]
    return exists().where(*_NAMED, PlanIdentifierRow.value == value, *of_system)


def _follows(key: str, version: str | None) -> ColumnElement[bool]:
    of_version = [] if version is None else [PlanRow.protocol_version == version]
    return and_(PlanRow.protocol_key == key, *of_version)


def _of_revisions(wanted: RevisionSearch) -> list[ColumnElement[bool]]:
    which = wanted.recorded.of(PlanRevisionRow.at, PlanRevisionRow.at)
    if wanted.of is not None:
        found = [
            and_(
                PlanRevisionRow.plan_id == plan_id,
                *([] if number is None else [PlanRevisionRow.revision == number]),
            )
            for plan_id, number in wanted.of
        ]
        which.append(or_(*found) if found else PlanRevisionRow.plan_id.is_(None))
    if wanted.patient_ids is not None:
        theirs = exists().where(
            PlanRow.clinic_id == PlanRevisionRow.clinic_id,
            PlanRow.id == PlanRevisionRow.plan_id,
            PlanRow.patient_id.in_(wanted.patient_ids),
        )
        which.append(theirs)
    return which


def _beyond(plan_id: UUID, revision: int) -> ColumnElement[bool]:
    return or_(
        PlanRevisionRow.plan_id > plan_id,
        and_(PlanRevisionRow.plan_id == plan_id, PlanRevisionRow.revision > revision),
    )
