"""The plans of one clinic: stored whole, changed by revision, read whole, listed in pages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.events import EventRepository, NewEvent
from app.persistence.patients import Identifier
from app.persistence.plans.records import (
    PatientStep,
    PlanChangedMeanwhile,
    PlanFilter,
    PlanIdentifierTaken,
    PlanNotFound,
    PlanRecord,
    PlanSummary,
    PlanView,
    RevisionNotFound,
    RevisionRecord,
    Values,
)
from app.persistence.plans.rows import (
    Rows,
    as_documents,
    event_rows,
    former_step_rows,
    plan_row,
    record_of,
    revision_row,
    rows_of,
    step_rows,
    view_of,
)
from app.persistence.plans.statements import (
    FIXED,
    keep_plan,
    list_plans,
    read_plan,
    replace_plan,
    save_plan,
    save_step,
    steps_of_patient,
    store_plan,
)
from app.persistence.prepared import insert_row, page_of_rows
from app.persistence.records import columns_of
from app.persistence.tables import (
    EventRow,
    FormerStepRow,
    JsonObject,
    PlanIdentifierRow,
    PlannedStepRow,
    PlanRevisionRow,
    PlanRow,
)

_REVISION = columns_of(PlanRevisionRow, RevisionRecord)


@dataclass(frozen=True, slots=True)
class _Saving:
    """A plan's next revision, and the plan as it was read and shown before."""

    before: PlanRecord
    plan: PlanRecord
    revision: RevisionRecord
    events: Sequence[NewEvent]
    superseded: JsonObject
    former: list[Values]
    """The rows of steps which people no longer work on where they did."""


class PlanRepository:
    """The plans of one clinic."""

    def __init__(self, connection: AsyncConnection, clinic_id: UUID) -> None:
        self._connection = connection
        self._clinic_id = clinic_id

    async def add(
        self, plan: PlanRecord, revision: RevisionRecord, events: Sequence[NewEvent]
    ) -> None:
        """Store a new plan with its steps, first revision and events.

        It is the last thing a transaction does, because it numbers events. Raises
        PlanIdentifierTaken.
        """
        rows = rows_of(self._clinic_id, plan, revision)
        try:
            if self._connection.dialect.name == "postgresql":
                await self._store_at_once(rows, events)
            else:
                await self._store(rows, events)
        except IntegrityError as error:
            if PlanIdentifierRow.__tablename__ in str(error.orig):
                raise PlanIdentifierTaken("another plan has this identifier") from error
            raise

    async def save(
        self,
        before: PlanRecord,
        plan: PlanRecord,
        revision: RevisionRecord,
        *,
        events: Sequence[NewEvent],
        superseded: JsonObject,
    ) -> None:
        """Replace the plan that was read ``before`` by its next revision.

        ``superseded`` is the plan as it was shown then: it stays in that revision. Steps keep
        their ids; those no longer in the plan go. It is the last thing a transaction does, where
        there are events. Raises PlanNotFound or PlanChangedMeanwhile.
        """
        former = former_step_rows(self._clinic_id, before, plan, revision.at)
        saving = _Saving(before, plan, revision, events, superseded, former)
        # Positions are unique, also in the midst of a statement.
        is_simple = not (_gone(saving) or _changes_places(saving) or former)
        at_once = is_simple and self._connection.dialect.name == "postgresql"
        if not await (self._save_at_once(saving) if at_once else self._save(saving)):
            await self.view(plan.id)
            raise PlanChangedMeanwhile("the plan was changed meanwhile")

    async def view(self, plan_id: UUID) -> PlanView:
        """A plan as it is shown, all of one revision. Raises PlanNotFound."""
        rows = await read_plan(self._connection.dialect.name).read(
            self._connection, {"clinic_id": self._clinic_id, "plan_id": plan_id}
        )
        if not rows:
            raise PlanNotFound("no such plan")
        return view_of(rows[0][0])

    async def get(self, plan_id: UUID) -> PlanRecord:
        """A plan to decide about. Raises PlanNotFound."""
        return record_of(await self.view(plan_id))

    async def find(self, identifier: Identifier) -> UUID | None:
        """The id of the plan which another system calls so, if there is one."""
        found = await self._connection.execute(
            select(PlanIdentifierRow.plan_id).where(
                PlanIdentifierRow.clinic_id == self._clinic_id,
                PlanIdentifierRow.system == identifier.system,
                PlanIdentifierRow.value == identifier.value,
            )
        )
        return found.scalar_one_or_none()

    async def revisions(
        self, plan_id: UUID, *, before: int | None = None, limit: int
    ) -> tuple[RevisionRecord, ...]:
        """A plan's revisions, the newest first, beginning before a number.

        Raises PlanNotFound when the plan has none at all.
        """
        which = [PlanRevisionRow.revision < before] if before is not None else []
        found = await self._connection.execute(
            select(*_REVISION)
            .where(
                PlanRevisionRow.clinic_id == self._clinic_id,
                PlanRevisionRow.plan_id == plan_id,
                *which,
            )
            .order_by(PlanRevisionRow.revision.desc())
            .limit(limit)
        )
        rows = tuple(RevisionRecord(**row._mapping) for row in found)
        if not rows:
            await self.view(plan_id)
        return rows

    async def snapshot(self, plan_id: UUID, revision: int) -> JsonObject:
        """The plan as a revision gave it that is no longer the last. Raises RevisionNotFound."""
        found = await self._connection.execute(
            select(PlanRevisionRow.snapshot).where(
                PlanRevisionRow.clinic_id == self._clinic_id,
                PlanRevisionRow.plan_id == plan_id,
                PlanRevisionRow.revision == revision,
            )
        )
        snapshot: JsonObject | None = found.scalar_one_or_none()
        if snapshot is None:
            raise RevisionNotFound("the plan has no such revision")
        return snapshot

    async def posted(self, plan_id: UUID) -> tuple[JsonObject, ...]:
        """What was posted to a plan, from its making on."""
        found = await self._connection.execute(
            select(PlanRevisionRow.change)
            .where(PlanRevisionRow.clinic_id == self._clinic_id, PlanRevisionRow.plan_id == plan_id)
            .order_by(PlanRevisionRow.revision)
        )
        return tuple(change for change in found.scalars() if change is not None)

    async def page(
        self, wanted: PlanFilter, *, after: UUID | None = None, limit: int
    ) -> list[PlanSummary]:
        """Plans that fit the filter, the newest first, beginning after one."""
        values = {"clinic_id": self._clinic_id, "after": after, **wanted.given()}
        if after is None:
            del values["after"]
        statement = list_plans(
            self._connection.dialect.name,
            frozenset(values) - {"needs_attention"},
            attention=wanted.needs_attention,
            rows=page_of_rows(limit),
        )
        found = await statement.fetch(self._connection, values)
        return [PlanSummary(*row) for row in found[:limit]]

    async def steps_of_patient(
        self, patient_id: UUID, *, besides: UUID | None = None
    ) -> list[PatientStep]:
        """Every dated step of a patient's plans, by plan and position, whatever its status."""
        rows = await steps_of_patient(self._connection.dialect.name).fetch(
            self._connection,
            {
                "clinic_id": self._clinic_id,
                "patient_id": patient_id,
                "besides": besides or UUID(int=0),
            },
        )
        return [PatientStep(*row) for row in rows]

    async def _store_at_once(self, rows: Rows, events: Sequence[NewEvent]) -> None:
        given = as_documents({**rows, EventRow: event_rows(self._clinic_id, events)})
        values = {"clinic_id": self._clinic_id, "count": len(events)}
        await store_plan().run(self._connection, {**values, **given})

    async def _store(self, rows: Rows, events: Sequence[NewEvent]) -> None:
        for row, values in rows.items():
            statement = insert_row(row, self._connection.dialect.name)
            await statement.run_for_each(self._connection, values)
        await EventRepository(self._connection, self._clinic_id).append(events)

    async def _save_at_once(self, saving: _Saving) -> bool:
        """Whether the plan still was of the revision that was read."""
        rows: Rows = {
            PlanRow: [plan_row(self._clinic_id, saving.plan)],
            PlannedStepRow: self._changed_steps(saving),
            PlanRevisionRow: [revision_row(self._clinic_id, saving.plan.id, saving.revision)],
            EventRow: event_rows(self._clinic_id, saving.events),
        }
        values = {"clinic_id": self._clinic_id, "count": len(saving.events)}
        given = {**values, **self._superseded(saving), **as_documents(rows)}
        return bool(await replace_plan().read(self._connection, given))

    async def _save(self, saving: _Saving) -> bool:
        """The same in several statements."""
        dialect, plan = self._connection.dialect.name, saving.plan
        superseded = self._superseded(saving)
        values = plan_row(self._clinic_id, plan, without=FIXED)
        if not await save_plan(dialect).run(self._connection, {**values, **superseded}):
            return False
        await self._save_steps(saving)
        await insert_row(FormerStepRow, dialect).run_for_each(self._connection, saving.former)
        await keep_plan(dialect).run(self._connection, superseded)
        row = revision_row(self._clinic_id, plan.id, saving.revision)
        await insert_row(PlanRevisionRow, dialect).run(self._connection, row)
        if saving.events:
            await EventRepository(self._connection, self._clinic_id).append(saving.events)
        return True

    async def _save_steps(self, saving: _Saving) -> None:
        """Write what is not the same as before; nobody else can have changed it since then."""
        if gone := _gone(saving):
            statement = delete(PlannedStepRow).where(PlannedStepRow.id.in_(gone))
            await self._connection.execute(statement.where(*self._steps_of(saving.plan.id)))
        rows = self._changed_steps(saving)
        if _changes_places(saving):
            # Positions are unique: out of the way first, whatever the order of the rows.
            aside = update(PlannedStepRow).values(position=-1 - PlannedStepRow.position)
            await self._connection.execute(aside.where(*self._steps_of(saving.plan.id)))
            rows = step_rows(self._clinic_id, saving.plan)
        await save_step(self._connection.dialect.name).run_for_each(self._connection, rows)

    def _steps_of(self, plan_id: UUID) -> tuple[ColumnElement[bool], ...]:
        return PlannedStepRow.clinic_id == self._clinic_id, PlannedStepRow.plan_id == plan_id

    def _superseded(self, saving: _Saving) -> Values:
        """Which revision is replaced, and how it was shown."""
        before = {"of_plan": saving.before.id, "of_revision": saving.before.revision}
        return {"of_clinic": self._clinic_id, **before, "snapshot": saving.superseded}

    def _changed_steps(self, saving: _Saving) -> list[Values]:
        known = {step.id: step for step in saving.before.steps}
        if _said_at_steps(saving.before) != _said_at_steps(saving.plan):
            known = {}
        changed = (step for step in saving.plan.steps if step != known.get(step.id))
        return step_rows(self._clinic_id, replace(saving.plan, steps=tuple(changed)))


def _said_at_steps(plan: PlanRecord) -> tuple[object, ...]:
    """What every step's row says of its plan."""
    return plan.status, plan.location_id, plan.practitioner


def _gone(saving: _Saving) -> set[UUID]:
    """The steps which the plan no longer has."""
    return {step.id for step in saving.before.steps} - {step.id for step in saving.plan.steps}


def _changes_places(saving: _Saving) -> bool:
    """Whether a step that stays comes to stand elsewhere."""
    places = {step.id: step.position for step in saving.before.steps}
    return any(places.get(step.id, step.position) != step.position for step in saving.plan.steps)
