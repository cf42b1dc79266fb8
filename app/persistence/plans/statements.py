"""How a plan is stored by one statement and read by another."""

from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CTE,
    JSON,
    BigInteger,
    BindParameter,
    ColumnElement,
    ColumnExpressionArgument,
    Insert,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    insert,
    literal_column,
    null,
    select,
    type_coerce,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.selectable import TableValuedAlias

from app.persistence.columns import Instant
from app.persistence.events import numbering
from app.persistence.plans.arrays import array, collected
from app.persistence.prepared import Prepared, parameter, prepare
from app.persistence.tables import (
    EventCounterRow,
    EventRow,
    LocationRow,
    PlanIdentifierRow,
    PlannedStepRow,
    PlanRevisionRow,
    PlanRow,
    ProtocolVersionRow,
    Row,
)
from app.persistence.upserts import Upsert, upsert

# What a plan's row keeps from its making.
FIXED = frozenset({"id", "created_at", "created_by"})
PLAN_TABLES: tuple[type[Row], ...] = (PlanRow, PlannedStepRow, PlanRevisionRow, PlanIdentifierRow)

OF_VERSION = and_(
    ProtocolVersionRow.clinic_id == PlanRow.clinic_id,
    ProtocolVersionRow.protocol_key == PlanRow.protocol_key,
    ProtocolVersionRow.version == PlanRow.protocol_version,
)

SHOWN_OF_PLAN = (
    PlanRow.id,
    PlanRow.revision,
    PlanRow.status,
    PlanRow.protocol_key,
    PlanRow.protocol_version,
    ProtocolVersionRow.example,
    PlanRow.patient_id,
    PlanRow.location_id,
    LocationRow.time_zone,
    PlanRow.body_site,
    PlanRow.laterality,
    PlanRow.condition,
    PlanRow.practitioner,
    PlanRow.note,
    PlanRow.anchor,
    PlanRow.state,
    PlanRow.chosen,
    PlanRow.breaches,
    PlanRow.attention,
    PlanRow.next_step_id,
    PlanRow.created_at,
    PlanRow.updated_at,
    PlanRow.created_by,
)
SHOWN_OF_STEP = (
    PlannedStepRow.id,
    PlannedStepRow.key,
    PlannedStepRow.occurrence,
    PlannedStepRow.ordinal,
    PlannedStepRow.of_count,
    PlannedStepRow.kind,
    PlannedStepRow.title,
    PlannedStepRow.agent,
    PlannedStepRow.status,
    PlannedStepRow.tentative,
    PlannedStepRow.optional,
    PlannedStepRow.day,
    PlannedStepRow.end_day,
    PlannedStepRow.window_earliest,
    PlannedStepRow.window_target,
    PlannedStepRow.window_latest,
    PlannedStepRow.deadline,
    PlannedStepRow.deviation_days,
    PlannedStepRow.duration_minutes,
    PlannedStepRow.modes,
    PlannedStepRow.reasons,
    PlannedStepRow.instructions,
    PlannedStepRow.appointment,
    PlannedStepRow.practitioner,
    PlannedStepRow.position,
)

SUMMARY = (
    PlanRow.id,
    PlanRow.revision,
    PlanRow.status,
    PlanRow.protocol_key,
    PlanRow.protocol_version,
    ProtocolVersionRow.example,
    PlanRow.patient_id,
    PlanRow.location_id,
    PlanRow.body_site,
    PlanRow.laterality,
    PlanRow.condition,
    PlanRow.practitioner,
    PlanRow.anchor,
    PlanRow.attention,
    PlanRow.created_at,
    PlanRow.updated_at,
    PlanRow.next_step_id,
    PlannedStepRow.key,
    PlannedStepRow.title,
    PlannedStepRow.day,
)

PATIENT_STEP = (
    PlanRow.id,
    PlanRow.status,
    PlanRow.body_site,
    PlanRow.laterality,
    PlannedStepRow.key,
    PlannedStepRow.occurrence,
    PlannedStepRow.kind,
    PlannedStepRow.agent,
    PlannedStepRow.status,
    PlannedStepRow.day,
    PlannedStepRow.end_day,
)


@cache
def store_plan() -> Prepared:
    """Insert the rows of a plan and number its events: PostgreSQL's only.

    Each table's rows come as one JSON parameter of the table's name. ``number`` of a given event
    counts from 1 to ``count``.
    """
    numbers = numbering("postgresql").returning(EventCounterRow.last_number).cte("numbers")
    statement = _store_events(numbers)
    for row in PLAN_TABLES:
        given = _given(row)
        stored = insert(row).from_select(given.c.keys(), select(*given.c))
        statement = statement.add_cte(stored.cte(f"stored_{row.__tablename__}"))
    return prepare(statement, "postgresql")


@cache
def read_plan(dialect: str) -> Prepared:
    """One plan with all that is shown of it, as one JSON array in one statement."""
    clinic_id, plan_id = bindparam("clinic_id", type_=Uuid()), bindparam("plan_id", type_=Uuid())
    steps = select(collected(dialect, SHOWN_OF_STEP)).where(
        PlannedStepRow.clinic_id == clinic_id, PlannedStepRow.plan_id == plan_id
    )
    identifiers = select(
        collected(dialect, (PlanIdentifierRow.system, PlanIdentifierRow.value))
    ).where(PlanIdentifierRow.clinic_id == clinic_id, PlanIdentifierRow.plan_id == plan_id)
    parts = [type_coerce(part.scalar_subquery(), JSON) for part in (steps, identifiers)]
    whole = array(dialect, (*SHOWN_OF_PLAN, *parts))
    plans = with_place_and_version(select(cast(whole, Text)).select_from(PlanRow))
    return prepare(plans.where(PlanRow.clinic_id == clinic_id, PlanRow.id == plan_id), dialect)


def with_place_and_version(
    plans: Select[*tuple[Any, ...]], place: InstrumentedAttribute[UUID] = PlanRow.location_id
) -> Select[*tuple[Any, ...]]:
    """Plans joined with the location, which may be another than now, and version of each."""
    return plans.join(
        LocationRow, (LocationRow.clinic_id == PlanRow.clinic_id) & (LocationRow.id == place)
    ).join(ProtocolVersionRow, OF_VERSION)


@cache
def list_plans(
    dialect: str, given: frozenset[str], *, attention: bool | None, rows: int
) -> Prepared:
    """A page of plans, the newest first; the filters that are given are its parameters.

    ``attention`` is none of them: the index of plans that need it serves only a query which says
    so without a parameter.
    """
    next_step = and_(
        PlannedStepRow.clinic_id == PlanRow.clinic_id, PlannedStepRow.id == PlanRow.next_step_id
    )
    conditions = {
        "after": PlanRow.id < bindparam("after", type_=Uuid()),
        "updated_since": PlanRow.updated_at >= bindparam("updated_since", type_=Instant()),
    }
    which: list[ColumnExpressionArgument[bool]] = [
        conditions[name] if name in conditions else _equal(name) for name in sorted(given)
    ]
    if attention is not None:
        which.append(PlanRow.needs_attention if attention else ~PlanRow.needs_attention)
    statement = (
        select(*SUMMARY)
        .join_from(PlanRow, ProtocolVersionRow, OF_VERSION)
        .outerjoin(PlannedStepRow, next_step)
        .where(*which)
        .order_by(PlanRow.id.desc())
        .limit(literal_column(str(rows)))
    )
    return prepare(statement, dialect)


@cache
def steps_of_patient(dialect: str) -> Prepared:
    """The dated steps of all plans of a patient but one."""
    of_plan = and_(
        PlannedStepRow.clinic_id == PlanRow.clinic_id, PlannedStepRow.plan_id == PlanRow.id
    )
    statement = (
        select(*PATIENT_STEP)
        .join_from(PlanRow, PlannedStepRow, of_plan)
        .where(
            PlanRow.clinic_id == parameter(PlanRow.clinic_id),
            PlanRow.patient_id == parameter(PlanRow.patient_id),
            PlanRow.id != parameter(PlanRow.id, "besides"),
            PlannedStepRow.day.is_not(None),
        )
        .order_by(PlanRow.id, PlannedStepRow.position)
    )
    return prepare(statement, dialect)


@cache
def save_plan(dialect: str) -> Prepared:
    """Replace a plan's row where it is that of a revision."""
    values = {
        c.name: bindparam(c.name, type_=c.type)
        for c in PlanRow.__table__.columns
        if c.name not in FIXED
    }
    which = _of_revision(PlanRow, PlanRow.id)
    return prepare(update(PlanRow).where(*which).values(values), dialect)


@cache
def replace_plan() -> Prepared:
    """Replace a plan by its next revision and number its events, at once: PostgreSQL's only.

    Gives a row where the plan still was of the revision that was read, and does nothing where it
    was not. Each table's rows come as one JSON parameter of the table's name; of the steps those
    that changed, none of which takes another's position. ``number`` of a given event counts from
    1 to ``count``.
    """
    mine, clinic_id, count = _given(PlanRow), bindparam("clinic_id", type_=Uuid()), _count()
    values = {c.name: mine.c[c.name] for c in PlanRow.__table__.columns if c.name not in FIXED}
    of_plan = update(PlanRow).where(*_of_revision(PlanRow, PlanRow.id)).values(values)
    replaced = of_plan.returning(PlanRow.id).cte("replaced")
    there = select(replaced.c.id).exists()
    before = update(PlanRevisionRow).where(
        *_of_revision(PlanRevisionRow, PlanRevisionRow.plan_id), there
    )
    steps, revision = _given(PlannedStepRow), _given(PlanRevisionRow)
    stored = upsert("postgresql", PlannedStepRow)
    stored = stored.from_select(steps.c.keys(), select(*steps.c).where(there))
    stored_steps = _replacing(stored).returning(PlannedStepRow.id).cte("stored_steps")
    last = insert(PlanRevisionRow)
    last = last.from_select(revision.c.keys(), select(*revision.c).where(there))
    # Numbers are taken last, after all that others may hold, and only where there are events.
    after = select(func.count(stored_steps.c.id)).scalar_subquery() >= literal_column("0")
    wanted = select(clinic_id, count).where(there, count > literal_column("0"), after)
    numbers = numbering("postgresql", wanted).returning(EventCounterRow.last_number).cte("numbers")
    statement = select(replaced.c.id).add_cte(
        before.values(snapshot=parameter(PlanRevisionRow.snapshot)).cte("kept"),
        last.cte("stored_revision"),
        _store_events(numbers).cte("stored_events"),
    )
    return prepare(statement, "postgresql")


@cache
def keep_plan(dialect: str) -> Prepared:
    """Put a plan as it was into the revision that is no longer the last."""
    which = _of_revision(PlanRevisionRow, PlanRevisionRow.plan_id)
    snapshot = parameter(PlanRevisionRow.snapshot)
    return prepare(update(PlanRevisionRow).where(*which).values(snapshot=snapshot), dialect)


@cache
def save_step(dialect: str) -> Prepared:
    """Store a step, or replace it; what was announced of its day is kept with the day."""
    columns = PlannedStepRow.__table__.columns
    values = {c.name: bindparam(c.name, type_=c.type) for c in columns}
    return prepare(_replacing(upsert(dialect, PlannedStepRow).values(values)), dialect)


def _replacing(statement: Upsert) -> Upsert:
    """The same for steps that are there already; what was announced is kept with the day."""
    replaced: dict[str, Any] = {
        c.name: statement.excluded[c.name]
        for c in PlannedStepRow.__table__.columns
        if c.name not in {"clinic_id", "id", "plan_id"}
    }
    same_day = PlannedStepRow.day.is_not_distinct_from(statement.excluded.day)
    replaced["announced"] = case((same_day, PlannedStepRow.announced), else_=null())
    return statement.on_conflict_do_update(index_elements=["clinic_id", "id"], set_=replaced)


def _of_revision(
    row: type[PlanRow | PlanRevisionRow], plan_id: InstrumentedAttribute[UUID]
) -> tuple[ColumnElement[bool], ...]:
    """Rows of the revision of a plan that was read."""
    return (
        row.clinic_id == parameter(row.clinic_id, "of_clinic"),
        plan_id == parameter(plan_id, "of_plan"),
        row.revision == parameter(row.revision, "of_revision"),
    )


def _store_events(numbers: CTE) -> Insert:
    """Insert the given events, with the numbers that were taken for them."""
    events = _given(EventRow)
    names = [name for name in events.c.keys() if name != "number"]  # noqa: SIM118 # no dict
    number = numbers.c.last_number - _count() + events.c.number
    return insert(EventRow).from_select(
        [*names, "number"], select(*(events.c[name] for name in names), number)
    )


def _count() -> BindParameter[int]:
    """How many events there are."""
    return bindparam("count", type_=BigInteger())


def _equal(name: str) -> ColumnElement[bool]:
    column: InstrumentedAttribute[Any] = getattr(PlanRow, name)
    return column == bindparam(name, type_=column.type)


def _given(row: type[Row]) -> TableValuedAlias:
    """The rows of a table as they are given in the JSON parameter of its name."""
    name = row.__tablename__
    document = cast(bindparam(name, type_=Text()), JSON)
    columns = [column(given.name, given.type) for given in row.__table__.columns]
    rows = func.json_to_recordset(document).table_valued(*columns, name=f"given_{name}")
    return rows.render_derived(name=f"given_{name}", with_types=True)
