"""What is known of a patient's life outside plans: reported events and absences."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from app.api.deps import ContextDep, ReadContextDep
from app.api.fields import Day, In, Instant, Key, Out, Paragraphs, fault, until
from app.api.plans.asking import Side
from app.api.plans.rechecked import RecheckedOut
from app.api.problems import problems
from app.api.routing import Route
from app.domain.calendars import Absence
from app.domain.facts import Reported
from app.services import patient_reports
from app.services.patient_reports import (
    AbsenceNotFound,
    AbsenceRecord,
    AddedAbsence,
    InvalidReport,
    NewEvent,
    PatientEventNotFound,
    PatientEventRecord,
    ReportedEvent,
)
from app.services.patients import PatientErased, PatientNotFound

router = APIRouter(prefix="/v1/patients/{patient_id}", tags=["patients"], route_class=Route)

_ID = "01938a5e-7b1c-7f00-8a51-3b1f2a9c0d31"
_EVENT: dict[str, Any] = {
    "agent": "corticosteroid_injection",
    "finding": None,
    "on": "2027-04-20",
    "cleared_on": None,
    "body_site": "ankle",
    "laterality": "right",
    "note": "urgent care",
}
_ABSENCE: dict[str, Any] = {"from": "2027-02-10", "to": "2027-02-20", "note": None}
_TOLD = {"id": _ID, "created_at": "2027-04-27T16:00:00Z"}
_SAID = {"id": _ID, "created_at": "2027-01-04T16:00:00Z"}


class PatientEventIn(In):
    """An agent given to a patient, or a finding made, perhaps elsewhere."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EVENT]})

    agent: Key | None = Field(default=None, description="What was given, such as `nsaid`.")
    finding: Key | None = Field(default=None, description="What was found, such as `fever`.")
    on: Day = Field(description="The local day on which it happened.")
    cleared_on: Day | None = Field(default=None, description="The day on which a finding ended.")
    body_site: Key | None = Field(
        default=None, description="Where, such as `ankle`; without, it counts everywhere."
    )
    laterality: Side | None = Field(
        default=None, description="On which side; without, it counts on both."
    )
    note: Paragraphs | None = Field(default=None, description="What a person wrote beside it.")

    @model_validator(mode="after")
    def _agent_or_finding(self) -> "PatientEventIn":
        if (self.agent is None) == (self.finding is None):
            raise fault("agent-or-finding", "needs either an agent or a finding")
        return self

    @field_validator("cleared_on")
    @classmethod
    def _not_before_on(cls, cleared_on: date | None, info: ValidationInfo) -> date | None:
        return cleared_on and until(info.data.get("on"), cleared_on)

    def to_domain(self) -> NewEvent:
        """What the use-case takes."""
        reported = Reported(
            id="new",
            on=self.on,
            agent=self.agent,
            finding=self.finding,
            body_site=self.body_site,
            laterality=self.laterality,
            cleared_on=self.cleared_on,
        )
        return NewEvent(reported, self.note)


class PatientEventOut(Out):
    """A reported event."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EVENT, **_TOLD}]})

    id: UUID = Field(description="Its id; conflicts call it `event:` and this id.")
    agent: str | None = Field(description="What was given.")
    finding: str | None = Field(description="What was found.")
    on: Day = Field(description="The local day on which it happened.")
    cleared_on: Day | None = Field(description="The day on which a finding ended.")
    body_site: str | None = Field(description="Where; without, it counts everywhere.")
    laterality: str | None = Field(description="On which side; without, it counts on both.")
    note: str | None = Field(description="What a person wrote beside it.")
    created_at: Instant = Field(description="When it was reported.")

    @classmethod
    def from_domain(cls, event: PatientEventRecord) -> "PatientEventOut":
        """The event as clients see it."""
        return cls(
            id=event.id,
            agent=event.agent,
            finding=event.finding,
            on=event.on_day,
            cleared_on=event.cleared_on,
            body_site=event.body_site,
            laterality=event.laterality,
            note=event.note,
            created_at=event.created_at,
        )


class ReportedEventOut(PatientEventOut):
    """A reported event, and what it means for every plan of the patient."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_EVENT, **_TOLD, "plans": []}]})

    plans: list[RecheckedOut] = Field(description="The patient's plans, looked at again.")

    @classmethod
    def of(cls, found: ReportedEvent) -> "ReportedEventOut":
        """The event with the plans as clients see them."""
        event = PatientEventOut.from_domain(found.event)
        plans = [RecheckedOut.from_domain(plan) for plan in found.plans]
        return cls(**event.model_dump(), plans=plans)


class PatientEventsOut(Out):
    """A patient's reported events."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{**_EVENT, **_TOLD}], "next": None}]}
    )

    items: list[PatientEventOut] = Field(description="The events, by day.")
    next: None = Field(default=None, description="Always null: the list has one page.")


class AbsenceIn(In):
    """Days on which a patient cannot come."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ABSENCE]})

    from_day: Day = Field(alias="from", description="The first day.")
    to_day: Day = Field(alias="to", description="The last day, included.")
    note: Paragraphs | None = Field(default=None, description="What a person wrote beside it.")

    @field_validator("to_day")
    @classmethod
    def _not_before_from(cls, to_day: date, info: ValidationInfo) -> date:
        return until(info.data.get("from_day"), to_day)

    def to_domain(self) -> Absence:
        """What the use-case takes."""
        return Absence("new", self.from_day, self.to_day)


class AbsenceOut(Out):
    """Days on which a patient cannot come."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_ABSENCE, **_SAID}]}, populate_by_name=True
    )

    id: UUID = Field(description="Its id; conflicts call it `unavailable:` and this id.")
    from_day: Day = Field(alias="from", description="The first day.")
    to_day: Day = Field(alias="to", description="The last day, included.")
    note: str | None = Field(description="What a person wrote beside it.")
    created_at: Instant = Field(description="When it was stored.")

    @classmethod
    def from_domain(cls, absence: AbsenceRecord) -> "AbsenceOut":
        """The absence as clients see it."""
        return cls(
            id=absence.id,
            from_day=absence.first_day,
            to_day=absence.last_day,
            note=absence.note,
            created_at=absence.created_at,
        )


class AddedAbsenceOut(AbsenceOut):
    """An absence, and what it means for every plan of the patient."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_ABSENCE, **_SAID, "plans": []}]})

    plans: list[RecheckedOut] = Field(description="The patient's plans, looked at again.")

    @classmethod
    def of(cls, found: AddedAbsence) -> "AddedAbsenceOut":
        """The absence with the plans as clients see them."""
        absence = AbsenceOut.from_domain(found.absence)
        plans = [RecheckedOut.from_domain(plan) for plan in found.plans]
        return cls(**absence.model_dump(by_alias=True), plans=plans)


class AbsencesOut(Out):
    """A patient's absences."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{**_ABSENCE, **_SAID}], "next": None}]}
    )

    items: list[AbsenceOut] = Field(description="The absences, by their first day.")
    next: None = Field(default=None, description="Always null: the list has one page.")


@router.get("/events", operation_id="list_events", responses=problems(PatientNotFound))
async def list_events(patient_id: UUID, ctx: ReadContextDep) -> PatientEventsOut:
    """List what was reported of a patient."""
    events = await patient_reports.list_events(ctx, patient_id)
    return PatientEventsOut(items=[PatientEventOut.from_domain(event) for event in events])


@router.post(
    "/events",
    operation_id="report_event",
    status_code=201,
    responses=problems(PatientNotFound, PatientErased, InvalidReport),
)
async def report_event(
    patient_id: UUID, body: PatientEventIn, ctx: ContextDep, response: Response
) -> ReportedEventOut:
    """Report what was given to a patient, or found, perhaps elsewhere.

    Every plan of the patient is looked at again: what its days break now is flagged, with what
    would make it right. No day moves until a person posts it.
    """
    found = await patient_reports.report_event(ctx, patient_id, body.to_domain())
    response.headers["location"] = f"/v1/patients/{patient_id}/events/{found.event.id}"
    return ReportedEventOut.of(found)


@router.delete(
    "/events/{event_id}",
    operation_id="withdraw_event",
    status_code=204,
    responses=problems(PatientNotFound, PatientEventNotFound),
)
async def withdraw_event(patient_id: UUID, event_id: UUID, ctx: ContextDep) -> None:
    """Take back what was reported in error."""
    await patient_reports.withdraw_event(ctx, patient_id, event_id)


@router.get("/unavailability", operation_id="list_absences", responses=problems(PatientNotFound))
async def list_absences(
    patient_id: UUID,
    ctx: ReadContextDep,
    from_day: Annotated[
        Day | None, Query(alias="from", description="Only those that end on this day or later.")
    ] = None,
) -> AbsencesOut:
    """List the days on which a patient cannot come."""
    absences = await patient_reports.list_absences(ctx, patient_id, from_day=from_day)
    return AbsencesOut(items=[AbsenceOut.from_domain(absence) for absence in absences])


@router.post(
    "/unavailability",
    operation_id="add_absence",
    status_code=201,
    responses=problems(PatientNotFound, PatientErased),
)
async def add_absence(
    patient_id: UUID, body: AbsenceIn, ctx: ContextDep, response: Response
) -> AddedAbsenceOut:
    """Keep days on which a patient cannot come.

    Every plan of the patient is looked at again: steps on these days are flagged, with what would
    make it right. No day moves until a person posts it.
    """
    found = await patient_reports.add_absence(ctx, patient_id, body.to_domain(), note=body.note)
    response.headers["location"] = f"/v1/patients/{patient_id}/unavailability/{found.absence.id}"
    return AddedAbsenceOut.of(found)


@router.delete(
    "/unavailability/{absence_id}",
    operation_id="remove_absence",
    status_code=204,
    responses=problems(PatientNotFound, AbsenceNotFound),
)
async def remove_absence(patient_id: UUID, absence_id: UUID, ctx: ContextDep) -> None:
    """Let a patient come after all."""
    await patient_reports.remove_absence(ctx, patient_id, absence_id)
