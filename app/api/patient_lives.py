"""Two patients found to be one, a person to be forgotten, and merged restrictions."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from app.api.deps import ContextDep, ReadContextDep
from app.api.fields import Day, In, Out
from app.api.patients import PatientOut
from app.api.plans.rechecked import RecheckedOut
from app.api.problems import problems
from app.api.routing import Route
from app.domain.restrictions import MergedRestriction
from app.services import patient_lives
from app.services.patient_lives import PatientNotMergeable
from app.services.patients import PatientChangedMeanwhile, PatientNotFound

router = APIRouter(prefix="/v1/patients/{patient_id}", tags=["patients"], route_class=Route)

_ID = "01938a5e-7b1c-7f00-8a51-3b1f2a9c0d31"
_SPAN: dict[str, Any] = {
    "from": "2027-02-24",
    "to": "2027-03-24",
    "plan_id": _ID,
    "step": "nsaid_free",
}


class MergeIn(In):
    """The patient that lives on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"into": _ID}]})

    into: UUID = Field(description="The patient who gets everything of this one.")


class MergedPatientOut(Out):
    """The patient that lives on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "patient": {
                        "id": _ID,
                        "revision": 2,
                        "identifiers": [{"system": "urn:example:mrn", "value": "4711"}],
                        "name": None,
                        "birth_date": None,
                        "merged_into": None,
                        "erased_at": None,
                        "created_at": "2027-01-04T16:00:00Z",
                        "updated_at": "2027-03-05T16:00:00Z",
                    },
                    "plans": [],
                }
            ]
        }
    )

    patient: PatientOut = Field(description="The patient, with what the other had.")
    plans: list[RecheckedOut] = Field(description="All its plans, looked at again.")


class RestrictionSpanOut(Out):
    """One restriction of one plan."""

    first: Day = Field(alias="from", description="First day.")
    last: Day = Field(alias="to", description="Last day, included.")
    plan_id: UUID = Field(description="The plan.")
    step: str = Field(description="The step's occurrence.")


class RestrictionOut(Out):
    """Restrictions that touch or overlap, as the one bar a patient sees."""

    subject: str = Field(description="The agent, such as nsaid, or the restriction's key.")
    first: Day = Field(alias="from", description="First day.")
    last: Day = Field(alias="to", description="Last day, included.")
    days: int = Field(description="How many days, both ends counted.")
    attention: str | None = Field(
        description="Why a clinician should look at it: merged, it lasts longer than any part."
    )
    spans: list[RestrictionSpanOut] = Field(description="What it is merged from.")

    @classmethod
    def from_domain(cls, merged: MergedRestriction) -> "RestrictionOut":
        """The restriction as clients see it."""
        return cls.model_validate(
            {
                "subject": merged.subject,
                "from": merged.first,
                "to": merged.last,
                "days": merged.days,
                "attention": merged.attention,
                "spans": [
                    {"from": s.first, "to": s.last, "plan_id": s.plan, "step": s.step}
                    for s in merged.spans
                ],
            }
        )


class RestrictionsOut(Out):
    """A patient's restrictions over all plans."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "subject": "nsaid",
                            "from": "2027-02-24",
                            "to": "2027-03-24",
                            "days": 29,
                            "attention": None,
                            "spans": [_SPAN],
                        }
                    ],
                    "next": None,
                }
            ]
        }
    )

    items: list[RestrictionOut] = Field(description="The restrictions, by their first day.")
    next: None = Field(default=None, description="Always null: the list has one page.")


@router.get("/restrictions", operation_id="list_restrictions", responses=problems(PatientNotFound))
async def list_restrictions(patient_id: UUID, ctx: ReadContextDep) -> RestrictionsOut:
    """List what a patient must not do or take, merged over all active plans."""
    found = await patient_lives.list_restrictions(ctx, patient_id)
    return RestrictionsOut(items=[RestrictionOut.from_domain(merged) for merged in found])


@router.post(
    "/merge",
    operation_id="merge_patient",
    responses=problems(PatientNotFound, PatientNotMergeable, PatientChangedMeanwhile),
)
async def merge_patient(patient_id: UUID, body: MergeIn, ctx: ContextDep) -> MergedPatientOut:
    """Merge a patient into another who is the same person.

    Identifiers, plans, events and absences become the other's; rules over all plans are looked at
    again. This patient stays as a signpost.
    """
    merged = await patient_lives.merge_patient(ctx, patient_id, body.into)
    plans = [RecheckedOut.from_domain(plan) for plan in merged.plans]
    return MergedPatientOut(patient=PatientOut.from_domain(merged.patient), plans=plans)


@router.post(
    "/erase",
    operation_id="erase_patient",
    responses=problems(PatientNotFound, PatientChangedMeanwhile),
)
async def erase_patient(patient_id: UUID, ctx: ContextDep) -> PatientOut:
    """Forget who a patient is; it cannot be undone.

    Name, birth date, identifiers and everything people wrote are deleted, in the history too.
    Plans, their revisions and counts stay, without the person.
    """
    return PatientOut.from_domain(await patient_lives.erase_patient(ctx, patient_id))
