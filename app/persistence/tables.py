"""All tables, and nothing else: the one definition which queries and migrations follow.

Every key, unique constraint and index begins with the clinic, so that no row can point into
another clinic and the data can be sharded by clinic.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    UniqueConstraint,
    Uuid,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from app.persistence.columns import Document, Instant, Line, Prose

JsonObject = dict[str, Any]
JsonList = list[Any]

PLAN_STATUSES = ("draft", "active", "on_hold", "completed", "revoked", "entered_in_error")
STEP_STATUSES = (
    "proposed",
    "planned",
    "booked",
    "performed",
    "missed",
    "skipped",
    "cancelled",
    "entered_in_error",
)
FORMER_STATUSES = ("performed", "cancelled")
STEP_KINDS = (
    "injection",
    "procedure",
    "visit",
    "call",
    "rehab",
    "device-fitting",
    "assessment",
    "decision",
    "restriction",
)
BATCH_KINDS = ("closure", "amendment", "rules")
BATCH_STATUSES = ("running", "done", "cancelled")
BATCH_ITEM_STATUSES = ("waiting", "changed", "unchanged", "conflict", "failed", "cancelled")
DELIVERY_STATUSES = ("waiting", "delivered", "dead")
CALENDAR_TITLES = ("kinds", "steps")
DISABLED_BECAUSE = ("by_hand", "failing", "gone")
VERSION_STATUSES = ("draft", "active", "retired")
ROLES = ("front-desk", "clinician", "approver", "read-only", "integration", "admin")
LATERALITIES = ("left", "right", "bilateral")

# Under which an index's ``info`` keeps the condition of the rows it holds.
PARTIAL = "where"
# What the worklist's indexes hold. Both databases use such an index for a query that says the same
# in the same words; a restriction is nobody's work.
_OF_LIVING_PLAN = (
    "plan_status IN ('active', 'on_hold') AND kind <> 'restriction' AND day IS NOT NULL"
)
WAITING = f"status IN ('planned', 'booked', 'missed') AND {_OF_LIVING_PLAN}"
DONE = f"status = 'performed' AND {_OF_LIVING_PLAN}"
STRAY = f"{WAITING} AND (day < due_from OR day > due_until)"
CALLED_OFF = "status IN ('cancelled', 'skipped') AND kind <> 'restriction' AND day IS NOT NULL"
LOOSE = f"{WAITING} AND loose"
UNDECIDED = f"{WAITING} AND kind = 'decision'"
UNTIMED_SPAN = "end_day IS NOT NULL AND window_target IS NULL"
# How far from its own day a step may be due without being loose.
NEAR_DAYS = 31
# How far back and ahead calendar feeds of people who work look.
FEED_DAYS_BACK = 30
FEED_DAYS_AHEAD = 400
# In the order of the list; what is due is found by the days alone, without looking at the step.
_BY_DAY = ("day", "due_until", "id", "due_from")


class Row(DeclarativeBase):
    """A row of one clinic."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 # read once by SQLAlchemy
        UUID: Uuid(),
        str: Line(),
        datetime: Instant(),
        JsonObject: Document,
        JsonList: Document,
    }


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _ordered(first: str, last: str) -> CheckConstraint:
    return CheckConstraint(f"{first} <= {last}", name=f"{first}_not_after_{last}")


def _where(name: str, condition: str, *columns: str, unique: bool = False) -> Index:
    """An index of some rows only, of which migrations tell the databases' dialects.

    To tell them here would load those of both, and a server has one database.
    """
    return Index(name, "clinic_id", *columns, unique=unique, info={PARTIAL: condition})


def _of(table: str, *columns: str, key: tuple[str, ...] = ("id",)) -> ForeignKeyConstraint:
    """A key into another table of the same clinic."""
    return ForeignKeyConstraint(
        ["clinic_id", *columns],
        [f"{table}.clinic_id", *(f"{table}.{column}" for column in key)],
    )


def _of_clinic() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["clinic_id"], ["clinics.clinic_id"])


class ClinicRow(Row):
    """A clinic: owns every other row that has its id."""

    __tablename__ = "clinics"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    sandbox: Mapped[bool]
    clock_at: Mapped[datetime | None]
    """The instant to which a sandbox clinic's clock was set; it stands still there."""
    created_at: Mapped[datetime]

    __table_args__ = (CheckConstraint("sandbox OR clock_at IS NULL", name="clock_only_in_sandbox"),)


class ClinicRulesRow(Row):
    """The rules which hold for every plan of a clinic beside its protocol's own."""

    __tablename__ = "clinic_rules"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    document: Mapped[JsonObject]
    revision: Mapped[int]
    updated_at: Mapped[datetime]

    __table_args__ = (_of_clinic(),)


class ProtocolRow(Row):
    """A protocol, whatever its versions are."""

    __tablename__ = "protocols"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    created_at: Mapped[datetime]

    __table_args__ = (_of_clinic(),)


class ProtocolVersionRow(Row):
    """One version of a protocol; once active its document never changes."""

    __tablename__ = "protocol_versions"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    protocol_key: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[str]
    example: Mapped[bool]
    """Came with the library; the mark stays when it is activated."""
    title: Mapped[str]
    document: Mapped[JsonObject]
    written_as: Mapped[JsonObject | None]
    """What a document that includes others was written as, and which; ``document`` has them in."""
    imported: Mapped[JsonObject | None]
    """The resource of another system that the document was read from, as it was sent."""
    content_hash: Mapped[str]
    revision: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    activated_at: Mapped[datetime | None]
    approval: Mapped[JsonObject | None]
    retired_at: Mapped[datetime | None]
    written_by: Mapped[str | None]
    """Who last wrote what it says; None came with the library."""
    authors: Mapped[JsonList | None]
    """Everybody who wrote into it since it was approved last; None where nobody noted more than
    the last one."""

    __table_args__ = (
        _of("protocols", "protocol_key", key=("key",)),
        _one_of("status", VERSION_STATUSES),
        CheckConstraint(
            "status <> 'active' OR (activated_at IS NOT NULL AND approval IS NOT NULL)",
            name="active_is_approved",
        ),
        _where("uq_protocol_versions_active", "status = 'active'", "protocol_key", unique=True),
    )


class PatientRow(Row):
    """A minimal shadow of the EHR's patient."""

    __tablename__ = "patients"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    name_folded: Mapped[str | None]
    """The name without case and accents, to be searched in."""
    birth_date: Mapped[date | None]
    revision: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    merged_into: Mapped[UUID | None]
    erased_at: Mapped[datetime | None]

    __table_args__ = (
        _of_clinic(),
        _of("patients", "merged_into"),
        CheckConstraint("merged_into <> id", name="merged_into_another"),
        Index(None, "clinic_id", "merged_into"),
    )


class PatientIdentifierRow(Row):
    """What another system calls a patient; it names one patient of the clinic."""

    __tablename__ = "patient_identifiers"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID]

    __table_args__ = (_of("patients", "patient_id"), Index(None, "clinic_id", "patient_id"))


class PatientEventRow(Row):
    """An agent given to a patient, or a finding made, perhaps elsewhere."""

    __tablename__ = "patient_events"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID]
    agent: Mapped[str | None]
    finding: Mapped[str | None]
    on_day: Mapped[date]
    cleared_on: Mapped[date | None]
    """The day on which a finding ended."""
    body_site: Mapped[str | None]
    laterality: Mapped[str | None]
    note: Mapped[str | None] = mapped_column(Prose)
    created_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]

    __table_args__ = (
        _of("patients", "patient_id"),
        CheckConstraint("(agent IS NULL) <> (finding IS NULL)", name="agent_or_finding"),
        _ordered("on_day", "cleared_on"),
        _one_of("laterality", LATERALITIES),
        Index(None, "clinic_id", "patient_id", "on_day"),
    )


class PatientAbsenceRow(Row):
    """Days on which a patient cannot come, both included."""

    __tablename__ = "patient_absences"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID]
    first_day: Mapped[date]
    last_day: Mapped[date]
    note: Mapped[str | None] = mapped_column(Prose)
    created_at: Mapped[datetime]

    __table_args__ = (
        _of("patients", "patient_id"),
        _ordered("first_day", "last_day"),
        Index(None, "clinic_id", "patient_id", "first_day"),
    )


class LocationRow(Row):
    """A place of a clinic with its zone, opening days and hours."""

    __tablename__ = "locations"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    time_zone: Mapped[str]
    open_weekdays: Mapped[JsonList]
    hours: Mapped[JsonObject | None]
    notice_days: Mapped[int]
    holiday_country: Mapped[str | None]
    holiday_subdivision: Mapped[str | None]
    revision: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    announced_on: Mapped[date | None]
    """The local day until which due and overdue steps were announced."""

    __table_args__ = (
        _of_clinic(),
        CheckConstraint("notice_days BETWEEN 0 AND 366", name="notice_days"),
    )


class ClosureRow(Row):
    """Days on which a location is closed, both included; holidays are stored day by day."""

    __tablename__ = "closures"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    location_id: Mapped[UUID]
    key: Mapped[str]
    """What a conflict calls it."""
    title: Mapped[str]
    first_day: Mapped[date]
    last_day: Mapped[date]
    holiday: Mapped[bool]
    created_at: Mapped[datetime]

    __table_args__ = (
        _of("locations", "location_id"),
        _ordered("first_day", "last_day"),
        UniqueConstraint("clinic_id", "location_id", "key"),
        Index(None, "clinic_id", "location_id", "last_day"),
    )


class PlanRow(Row):
    """A protocol version applied to one patient, as of its latest revision."""

    __tablename__ = "plans"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int]
    status: Mapped[str]
    protocol_key: Mapped[str]
    protocol_version: Mapped[str]
    patient_id: Mapped[UUID]
    location_id: Mapped[UUID]
    body_site: Mapped[str | None]
    laterality: Mapped[str | None]
    condition: Mapped[str | None]
    practitioner: Mapped[str | None]
    note: Mapped[str | None] = mapped_column(Prose)
    anchor: Mapped[JsonObject | None]
    state: Mapped[JsonObject]
    """Facts, choices and what else the engine needs to compute the plan again."""
    chosen: Mapped[JsonObject]
    breaches: Mapped[JsonList]
    attention: Mapped[JsonList]
    """Why a person must look at the plan, as codes."""
    needs_attention: Mapped[bool]
    next_step_id: Mapped[UUID | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    created_by: Mapped[str]

    __table_args__ = (
        _of(
            "protocol_versions",
            "protocol_key",
            "protocol_version",
            key=("protocol_key", "version"),
        ),
        _of("patients", "patient_id"),
        _of("locations", "location_id"),
        _one_of("status", PLAN_STATUSES),
        _one_of("laterality", LATERALITIES),
        CheckConstraint("revision >= 1", name="revision"),
        Index(None, "clinic_id", "patient_id", "id"),
        Index(None, "clinic_id", "location_id", "id"),
        Index(None, "clinic_id", "protocol_key", "protocol_version", "id"),
        _where("ix_plans_attention", "needs_attention", "id"),
    )


class PlanIdentifierRow(Row):
    """What another system calls a plan; it names one plan of the clinic."""

    __tablename__ = "plan_identifiers"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)
    plan_id: Mapped[UUID]

    __table_args__ = (_of("plans", "plan_id"), Index(None, "clinic_id", "plan_id"))


class PlannedStepRow(Row):
    """One occurrence of a step in a plan; its id survives every move.

    Location, practitioner and status of its plan stand here too: the worklist is filtered by
    them, and what belongs to plans that ended must not lie in its way.
    """

    __tablename__ = "planned_steps"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    plan_id: Mapped[UUID]
    position: Mapped[int]
    key: Mapped[str]
    occurrence: Mapped[str | None]
    """A number, or a timepoint's key."""
    ordinal: Mapped[int | None]
    of_count: Mapped[int | None]
    kind: Mapped[str]
    title: Mapped[str]
    agent: Mapped[str | None]
    status: Mapped[str]
    tentative: Mapped[bool]
    optional: Mapped[bool]
    day: Mapped[date | None]
    end_day: Mapped[date | None]
    window_earliest: Mapped[date | None]
    window_target: Mapped[date | None]
    window_latest: Mapped[date | None]
    deadline: Mapped[bool]
    """The window's end only turns the step overdue; it is no hard edge."""
    deviation_days: Mapped[int | None]
    duration_minutes: Mapped[int | None]
    modes: Mapped[JsonList]
    reasons: Mapped[JsonList]
    instructions: Mapped[JsonList]
    appointment: Mapped[JsonObject | None]
    location_id: Mapped[UUID]
    practitioner: Mapped[str | None]
    plan_status: Mapped[str] = mapped_column(server_default="active")
    """Has a default for a former version, which does not write it, while both are running."""
    due_from: Mapped[date] = mapped_column(server_default="1900-01-01")
    due_until: Mapped[date] = mapped_column(server_default="2200-12-31")
    """The days between which it is due while undone; what has no bound ends with the calendar."""
    loose: Mapped[bool] = mapped_column(server_default=true())
    """Some of those days are further than ``NEAR_DAYS`` from its own day."""
    announced: Mapped[str | None]
    """Whether an event said already that it is due, or overdue, on the day it has now."""

    __table_args__ = (
        _of("plans", "plan_id"),
        _one_of("announced", ("due", "overdue")),
        UniqueConstraint("clinic_id", "plan_id", "position"),
        _one_of("status", STEP_STATUSES),
        _one_of("plan_status", PLAN_STATUSES),
        _one_of("kind", STEP_KINDS),
        _ordered("day", "end_day"),
        _ordered("window_earliest", "window_target"),
        _ordered("window_target", "window_latest"),
        _where("ix_planned_steps_worklist", WAITING, *_BY_DAY),
        _where("ix_planned_steps_worklist_location", WAITING, "location_id", *_BY_DAY),
        _where("ix_planned_steps_worklist_practitioner", WAITING, "practitioner", *_BY_DAY),
        _where("ix_planned_steps_worklist_stray", STRAY, *_BY_DAY),
        _where("ix_planned_steps_worklist_stray_location", STRAY, "location_id", *_BY_DAY),
        _where("ix_planned_steps_worklist_stray_practitioner", STRAY, "practitioner", *_BY_DAY),
        _where("ix_planned_steps_worklist_loose", LOOSE, *_BY_DAY),
        _where("ix_planned_steps_worklist_loose_location", LOOSE, "location_id", *_BY_DAY),
        _where("ix_planned_steps_worklist_loose_practitioner", LOOSE, "practitioner", *_BY_DAY),
        _where("ix_planned_steps_worklist_undecided_location", UNDECIDED, "location_id", *_BY_DAY),
        _where(
            "ix_planned_steps_worklist_undecided_practitioner", UNDECIDED, "practitioner", *_BY_DAY
        ),
        _where("ix_planned_steps_worklist_done", DONE, *_BY_DAY),
        _where("ix_planned_steps_called_off", CALLED_OFF, "day", "id"),
        Index(None, "clinic_id", "day", "id"),
        _where("ix_planned_steps_untimed_spans", UNTIMED_SPAN, "end_day"),
        Index(None, "clinic_id", "due_until", "due_from", "id"),
    )


class FormerStepRow(Row):
    """A planned step that people no longer work on where they did, as it stood there last.

    It lost its day or its place in the plan, went to a day on which nobody looks yet, or the plan
    ended or went elsewhere. Who works there is shown that it is off, or that it was performed.
    """

    __tablename__ = "former_steps"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    plan_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    """The plan's last that had it there."""
    step_id: Mapped[UUID] = mapped_column(primary_key=True)
    location_id: Mapped[UUID]
    practitioner: Mapped[str | None]
    kind: Mapped[str]
    title: Mapped[str]
    ordinal: Mapped[int | None]
    of_count: Mapped[int | None]
    status: Mapped[str]
    day: Mapped[date]
    end_day: Mapped[date | None]
    appointment: Mapped[JsonObject | None]

    __table_args__ = (
        _of("plan_revisions", "plan_id", "revision", key=("plan_id", "revision")),
        _of("locations", "location_id"),
        _one_of("status", FORMER_STATUSES),
        _one_of("kind", STEP_KINDS),
        _ordered("day", "end_day"),
        Index(None, "clinic_id", "location_id", "day"),
        Index(None, "clinic_id", "practitioner", "day"),
    )


class PlanRevisionRow(Row):
    """What one change did to a plan, and the plan it gave."""

    __tablename__ = "plan_revisions"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    plan_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    reason: Mapped[str | None] = mapped_column(Prose)
    change: Mapped[JsonObject | None]
    moves: Mapped[JsonList]
    snapshot: Mapped[JsonObject]

    __table_args__ = (_of("plans", "plan_id"),)


class EventCounterRow(Row):
    """The number of a clinic's last event.

    Whoever appends an event takes its number here and holds the row until commit. So a clinic's
    events are numbered in the order in which they become visible, and a reader who asks for what
    comes after a number never misses one. A sequence cannot promise that: its numbers are given
    out before the commit, and recorded transaction ids do not help, because ids and numbers may
    be given out in opposite order. The price is that commits of one clinic wait for each other
    for the length of one statement and the commit; other clinics are not concerned.
    """

    __tablename__ = "event_counters"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    last_number: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (_of_clinic(),)


class EventRow(Row):
    """Something that happened: audit trail and outbox, append-only, without patient data."""

    __tablename__ = "events"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[UUID]
    type: Mapped[str]
    at: Mapped[datetime]
    actor: Mapped[str]
    plan_id: Mapped[UUID | None]
    patient_id: Mapped[UUID | None]
    revision: Mapped[int | None]
    data: Mapped[JsonObject]

    __table_args__ = (
        _of_clinic(),
        UniqueConstraint("clinic_id", "id"),
        Index(None, "clinic_id", "plan_id", "number"),
        Index(None, "clinic_id", "patient_id", "number"),
    )


class IdempotencyKeyRow(Row):
    """A post's key and, from its commit on, the answer that is given again."""

    __tablename__ = "idempotency_keys"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    """What was posted where; another post under the key is refused."""
    status_code: Mapped[int | None]
    headers: Mapped[JsonObject | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]

    __table_args__ = (_of_clinic(), Index(None, "clinic_id", "created_at"))


class BatchRow(Row):
    """One request's work over many plans."""

    __tablename__ = "batches"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    status: Mapped[str]
    request: Mapped[JsonObject]
    total: Mapped[int]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        _of_clinic(),
        _one_of("kind", BATCH_KINDS),
        _one_of("status", BATCH_STATUSES),
        CheckConstraint("total >= 0", name="total"),
        _where("ix_batches_running", "status = 'running'", "id"),
    )


class BatchItemRow(Row):
    """The part of a batch that concerns one plan, done in a transaction of its own."""

    __tablename__ = "batch_items"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    batch_id: Mapped[UUID] = mapped_column(primary_key=True)
    plan_id: Mapped[UUID] = mapped_column(primary_key=True)
    status: Mapped[str]
    result: Mapped[JsonObject]
    done_at: Mapped[datetime | None]

    __table_args__ = (
        _of("batches", "batch_id"),
        _of("plans", "plan_id"),
        _one_of("status", BATCH_ITEM_STATUSES),
        Index(None, "clinic_id", "plan_id"),
        _where("ix_batch_items_waiting", "status = 'waiting'", "batch_id", "plan_id"),
    )


class WebhookRow(Row):
    """Where events of a clinic are sent to."""

    __tablename__ = "webhooks"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    url: Mapped[str]
    title: Mapped[str | None]
    event_types: Mapped[JsonList | None]
    """The types that are sent; None for every type."""
    enabled: Mapped[bool]
    disabled_because: Mapped[str | None]
    failing_since: Mapped[datetime | None]
    """The first failure after the last success."""
    queued_until: Mapped[int] = mapped_column(BigInteger)
    """The number of the last event that was looked at for deliveries."""
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    """The signing secret is derived from it and from the service's own; it is no secret itself."""
    former_salt: Mapped[bytes | None] = mapped_column(LargeBinary)
    former_until: Mapped[datetime | None]
    """Until when messages are signed with the former secret too."""
    revision: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        _of_clinic(),
        _one_of("disabled_because", DISABLED_BECAUSE),
        CheckConstraint("enabled <> (disabled_because IS NOT NULL)", name="disabled_for_a_reason"),
        CheckConstraint(
            "(former_salt IS NULL) = (former_until IS NULL)", name="former_salt_has_an_end"
        ),
    )


class DeliveryRow(Row):
    """The sending of one event to one webhook, with what became of it."""

    __tablename__ = "deliveries"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[UUID] = mapped_column(primary_key=True)
    event_number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    subject_id: Mapped[UUID]
    """What its order is kept within: the event's plan, else its patient, else itself."""
    status: Mapped[str]
    attempts: Mapped[int]
    """How often it was tried since it was queued, or replayed."""
    next_at: Mapped[datetime | None]
    """When it may be tried next; while somebody is trying, when another may take it over.

    None while it waits behind another of its subject.
    """
    log: Mapped[JsonList]
    """The latest attempts."""
    queued_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        _of("webhooks", "webhook_id"),
        _of("events", "event_number", key=("number",)),
        _one_of("status", DELIVERY_STATUSES),
        CheckConstraint("next_at IS NULL OR status = 'waiting'", name="waits_for_a_time"),
        Index(None, "clinic_id", "webhook_id", "status", "event_number"),
        _where(
            "ix_deliveries_in_order",
            "status = 'waiting'",
            "webhook_id",
            "subject_id",
            "event_number",
        ),
        _where(
            "ix_deliveries_next", "next_at IS NOT NULL", "webhook_id", "next_at", "event_number"
        ),
    )


class ApiKeyRow(Row):
    """A key by which a caller is known; of the key itself only a hash is kept."""

    __tablename__ = "api_keys"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    prefix: Mapped[str]
    """How the key begins, to be found by and recognised by people."""
    secret_hash: Mapped[str]
    """SHA-256 of the whole key, which has 256 random bits: no slow hash is needed."""
    name: Mapped[str]
    role: Mapped[str]
    scopes: Mapped[JsonList | None]
    """What of its role's scopes it has; None is all of them."""
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    rotated_from: Mapped[UUID | None]
    """The key which this one replaces; both have the same name."""

    __table_args__ = (
        _of_clinic(),
        _of("api_keys", "rotated_from"),
        _one_of("role", ROLES),
        UniqueConstraint("clinic_id", "prefix"),
        UniqueConstraint("clinic_id", "rotated_from"),
        _where("uq_api_keys_first_of_name", "rotated_from IS NULL", "name", unique=True),
    )


class OauthClientRow(Row):
    """A system that asks for tokens with assertions it signs; only its public keys are known."""

    __tablename__ = "oauth_clients"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[str]
    scopes: Mapped[JsonList | None]
    """What of its role's scopes it has; None is all of them."""
    jwks: Mapped[JsonObject | None]
    jwks_url: Mapped[str | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        _of_clinic(),
        _one_of("role", ROLES),
        CheckConstraint("(jwks IS NULL) <> (jwks_url IS NULL)", name="jwks_by_value_or_url"),
        UniqueConstraint("clinic_id", "name"),
    )


class OauthAssertionRow(Row):
    """An assertion that was used: it is not taken a second time."""

    __tablename__ = "oauth_assertions"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[UUID] = mapped_column(primary_key=True)
    jti_hash: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]

    __table_args__ = (
        _of("oauth_clients", "client_id"),
        Index(None, "clinic_id", "expires_at"),
    )


class CalendarRow(Row):
    """A calendar feed; whoever knows its token may read it."""

    __tablename__ = "calendars"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    plan_id: Mapped[UUID | None]
    patient_id: Mapped[UUID | None]
    location_id: Mapped[UUID | None]
    practitioner: Mapped[str | None]
    title: Mapped[str | None]
    titles: Mapped[str]
    """Whether entries say the kinds of steps only, or their titles."""
    created_at: Mapped[datetime]

    __table_args__ = (
        _of_clinic(),
        _of("plans", "plan_id"),
        _of("patients", "patient_id"),
        _of("locations", "location_id"),
        _one_of("titles", CALENDAR_TITLES),
        CheckConstraint(
            "(CASE WHEN plan_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN patient_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN location_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN practitioner IS NULL THEN 0 ELSE 1 END) = 1",
            name="of_one_thing",
        ),
        UniqueConstraint("clinic_id", "token_hash"),
        Index(None, "clinic_id", "plan_id"),
        Index(None, "clinic_id", "patient_id"),
    )


class AccessChainRow(Row):
    """Where a clinic's chain of access batches begins and ends.

    Whoever adds a batch holds the row until commit, so that there is one chain. Batches up to
    ``first_number`` were forgotten; ``first_hash`` is the last forgotten one's.
    """

    __tablename__ = "access_chains"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    first_number: Mapped[int] = mapped_column(BigInteger)
    first_hash: Mapped[str]
    last_number: Mapped[int] = mapped_column(BigInteger)
    last_hash: Mapped[str]

    __table_args__ = (_of_clinic(),)


class AccessWaitingRow(Row):
    """A change, noted in its own transaction, that is not in the chain yet."""

    __tablename__ = "access_waiting"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    access: Mapped[JsonObject]

    __table_args__ = (_of_clinic(),)


class AccessBatchRow(Row):
    """What was read and changed in a moment, hashed together with the batch before it."""

    __tablename__ = "access_batches"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    first_at: Mapped[datetime]
    """When the earliest of its accesses was."""
    at: Mapped[datetime]
    previous_hash: Mapped[str]
    hash: Mapped[str]
    accesses: Mapped[str]
    """A JSON list, character by character as it is hashed."""

    __table_args__ = (_of_clinic(), Index(None, "clinic_id", "at"))


class AccessPatientRow(Row):
    """That a batch has accesses to a patient's data: what a list of one patient is found by."""

    __tablename__ = "access_patients"

    clinic_id: Mapped[UUID] = mapped_column(primary_key=True)
    patient_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)

    __table_args__ = (
        ForeignKeyConstraint(
            ["clinic_id", "number"], ["access_batches.clinic_id", "access_batches.number"]
        ),
        Index(None, "clinic_id", "number"),
    )
