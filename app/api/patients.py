"""Minimal shadows of the EHR's patients; names and identifiers never stand in an address."""

from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field, model_validator

from app.api.deps import ContextDep, IfMatchDep, ReadContextDep
from app.api.etags import created, etag
from app.api.fields import Day, In, Instant, Line, Out, Whole, absent, fault
from app.api.paging import PageDep, cursor_for, key_in, uuid_of
from app.api.plans.asking import IdentifierIn
from app.api.plans.models import IdentifierOut
from app.api.problems import problems
from app.api.refusals import CursorRefused
from app.api.routing import UNCHANGED, Route
from app.services import patients
from app.services.patients import (
    IdentifierTaken,
    PatientChange,
    PatientChangedMeanwhile,
    PatientErased,
    PatientNotFound,
    PatientRecord,
)

router = APIRouter(prefix="/v1/patients", tags=["patients"], route_class=Route)

_IDENTIFIER: dict[str, Any] = {"system": "urn:oid:2.16.840.1.113883.4.1", "value": "EX-000-0001"}
_EXAMPLE: dict[str, Any] = {
    "identifiers": [_IDENTIFIER],
    "name": "Example, Alex",
    "birth_date": "1975-06-30",
}


_OUT_EXAMPLE: dict[str, Any] = {
    "id": "01938a5e-7b1c-7f00-8a51-3b1f2a9c0d21",
    "revision": 1,
    **_EXAMPLE,
    "merged_into": None,
    "erased_at": None,
    "created_at": "2027-01-04T16:00:00Z",
    "updated_at": "2027-01-04T16:00:00Z",
}


Identifiers = Annotated[list[IdentifierIn], Field(max_length=20)]


class PatientIn(In):
    """A patient as another system knows it; absent fields stay as they are."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    identifiers: Identifiers = absent(
        "What other systems call the patient. One that is known finds the patient."
    )
    name: Line | None = absent("The patient's name; null clears it.")
    birth_date: Day | None = absent("The patient's birth date; null clears it.")

    def to_domain(self) -> PatientChange:
        """What the use-case takes: only the fields that were sent."""
        sent: dict[str, Any] = {field: getattr(self, field) for field in self.model_fields_set}
        if "identifiers" in sent:
            sent["identifiers"] = tuple(one.to_domain() for one in self.identifiers)
        return cast("PatientChange", sent)


class PatientOut(Out):
    """A patient."""

    model_config = ConfigDict(json_schema_extra={"examples": [_OUT_EXAMPLE]})

    id: UUID = Field(description="Its id.")
    revision: int = Field(description="How often it was stored; changes need it in `If-Match`.")
    identifiers: list[IdentifierOut] = Field(description="What other systems call the patient.")
    name: str | None = Field(description="The patient's name, if it is kept here.")
    birth_date: Day | None = Field(description="The patient's birth date, if it is kept here.")
    merged_into: UUID | None = Field(description="The patient as whom this one lives on.")
    erased_at: Instant | None = Field(description="When the person was erased from it, if so.")
    created_at: Instant = Field(description="When it was added.")
    updated_at: Instant = Field(description="When it was last changed.")

    @classmethod
    def from_domain(cls, patient: PatientRecord) -> "PatientOut":
        """The patient as clients see it."""
        return cls(
            id=patient.id,
            revision=patient.revision,
            identifiers=[
                IdentifierOut(system=one.system, value=one.value) for one in patient.identifiers
            ],
            name=patient.name,
            birth_date=patient.birth_date,
            merged_into=patient.merged_into,
            erased_at=patient.erased_at,
            created_at=patient.created_at,
            updated_at=patient.updated_at,
        )


class PatientsOut(Out):
    """A page of patients."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [_OUT_EXAMPLE], "next": None}]}
    )

    items: list[PatientOut] = Field(description="The patients, in the order they were added.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


class PatientSearchIn(In):
    """Whom to look for: everything given must match."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"identifier": _IDENTIFIER}, {"name": "exam"}]}
    )

    identifier: IdentifierIn | None = Field(default=None, description="Who is called so.")
    name: Line | None = Field(
        default=None, description="A part of the name; case and accents do not matter."
    )
    birth_date: Day | None = Field(default=None, description="Who was born on this day.")
    limit: Annotated[Whole, Field(ge=1, le=200)] = Field(
        default=50, description="How many patients a page has at most."
    )
    cursor: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None, description="Where to go on: `next` of the page before, with the same search."
    )

    @model_validator(mode="after")
    def _looks_for_something(self) -> "PatientSearchIn":
        if self.identifier is None and self.name is None and self.birth_date is None:
            raise fault("nothing-searched", "needs an identifier, a name or a birth date")
        return self

    @property
    def filters(self) -> list[tuple[str, str]]:
        """What a cursor of this search is bound to."""
        return [("search", self.model_dump_json(exclude={"limit", "cursor"}))]


_KNOWN: dict[int | str, dict[str, Any]] = {
    200: {"model": PatientOut, "description": "The patient was known."}
}


@router.get("", operation_id="list_patients")
async def list_patients(page: PageDep, ctx: ReadContextDep) -> PatientsOut:
    """List the clinic's patients."""
    found = await patients.list_patients(ctx, after=uuid_of(page.after), limit=page.limit)
    items = [PatientOut.from_domain(patient) for patient in found.items]
    return PatientsOut(items=items, next=page.next(found.next))


@router.post(
    "",
    operation_id="upsert_patient",
    status_code=201,
    responses=_KNOWN | problems(IdentifierTaken),
)
async def upsert_patient(body: PatientIn, ctx: ContextDep, response: Response) -> PatientOut:
    """Add a patient, or bring one up to date who is known by an identifier.

    Identifiers are added to those known; 200 instead of 201 says that the patient was known.
    """
    upserted = await patients.upsert_patient(ctx, body.to_domain())
    patient = upserted.patient
    response.status_code = 201 if upserted.is_new else 200
    created(response, f"/v1/patients/{patient.id}", etag(patient.revision))
    return PatientOut.from_domain(patient)


@router.post("/search", operation_id="search_patients", responses=problems(CursorRefused))
async def search_patients(
    body: PatientSearchIn, request: Request, ctx: ReadContextDep
) -> PatientsOut:
    """Find patients by identifier, name or birth date; nothing is stored."""
    found = await patients.search_patients(
        ctx,
        name=body.name,
        birth_date=body.birth_date,
        identifier=body.identifier.to_domain() if body.identifier else None,
        after=uuid_of(key_in(body.cursor, request, body.filters)),
        limit=body.limit,
    )
    items = [PatientOut.from_domain(patient) for patient in found.items]
    return PatientsOut(items=items, next=cursor_for(found.next, request, body.filters))


@router.get(
    "/{patient_id}",
    operation_id="get_patient",
    responses=problems(PatientNotFound) | UNCHANGED,
)
async def get_patient(patient_id: UUID, ctx: ReadContextDep, response: Response) -> PatientOut:
    """Read one patient."""
    patient = await patients.get_patient(ctx, patient_id)
    response.headers["etag"] = etag(patient.revision)
    return PatientOut.from_domain(patient)


@router.patch(
    "/{patient_id}",
    operation_id="change_patient",
    responses=problems(PatientNotFound, PatientErased, PatientChangedMeanwhile, IdentifierTaken),
)
async def change_patient(
    patient_id: UUID, body: PatientIn, revision: IfMatchDep, ctx: ContextDep, response: Response
) -> PatientOut:
    """Change a patient; identifiers, where given, replace those known.

    By another birth date all plans are looked at again: what counts from it is flagged where it
    cannot stay, and nothing moves.
    """
    patient = await patients.change_patient(ctx, patient_id, body.to_domain(), revision=revision)
    response.headers["etag"] = etag(patient.revision)
    return PatientOut.from_domain(patient)
