"""The plans of one clinic: stored whole, changed by revision, read whole, listed in pages."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.persistence.columns import encode_json
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
)
from app.persistence.plans.rows import (
    Rows,
    check_lines,
    event_rows,
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
    save_plan,
    save_step,
    steps_of_patient,
    store_plan,
)
from app.persistence.prepared import insert_row, page_of_rows
from app.persistence.records import columns_of
from app.persistence.tables import (
    EventRow,
    JsonObject,
    PlanIdentifierRow,
    PlannedStepRow,
    PlanRevisionRow,
)

_REVISION = columns_of(PlanRevisionRow, RevisionRecord)


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
        dialect = self._connection.dialect.name
        of_before = {
            "of_clinic": self._clinic_id,
            "of_plan": before.id,
            "of_revision": before.revision,
        }
        values = plan_row(self._clinic_id, plan, without=FIXED)
        if not await save_plan(dialect).run(self._connection, {**values, **of_before}):
            await self.view(plan.id)
            raise PlanChangedMeanwhile("the plan was changed meanwhile")
        await self._save_steps(before, plan)
        await keep_plan(dialect).run(self._connection, {**of_before, "snapshot": superseded})
        row = revision_row(self._clinic_id, plan.id, revision)
        await insert_row(PlanRevisionRow, dialect).run(self._connection, row)
        if events:
            await EventRepository(self._connection, self._clinic_id).append(events)

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
        rows = {**rows, EventRow: event_rows(self._clinic_id, events)}
        for row, values in rows.items():
            check_lines(row, values)
        given = {row.__tablename__: encode_json(values) for row, values in rows.items()}
        await store_plan().run(
            self._connection, {"clinic_id": self._clinic_id, "count": len(events), **given}
        )

    async def _store(self, rows: Rows, events: Sequence[NewEvent]) -> None:
        for row, values in rows.items():
            statement = insert_row(row, self._connection.dialect.name)
            await statement.run_for_each(self._connection, values)
        await EventRepository(self._connection, self._clinic_id).append(events)

    async def _save_steps(self, before: PlanRecord, plan: PlanRecord) -> None:
        """Write what is not the same as before; nobody else can have changed it since then."""
        mine = (PlannedStepRow.clinic_id == self._clinic_id, PlannedStepRow.plan_id == plan.id)
        places = {step.id: step.position for step in before.steps}
        gone = places.keys() - {step.id for step in plan.steps}
        if gone:
            await self._connection.execute(
                delete(PlannedStepRow).where(*mine, PlannedStepRow.id.in_(gone))
            )
        rows = step_rows(self._clinic_id, plan)
        if any(places.get(step.id, step.position) != step.position for step in plan.steps):
            # Positions are unique: out of the way first, whatever the order of the rows.
            await self._connection.execute(
                update(PlannedStepRow).where(*mine).values(position=-1 - PlannedStepRow.position)
            )
        else:
            known = {row["id"]: row for row in step_rows(self._clinic_id, before)}
            rows = [row for row in rows if row != known.get(row["id"])]
        await save_step(self._connection.dialect.name).run_for_each(self._connection, rows)
