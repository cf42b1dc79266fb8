"""An access holds ids and nothing else; a batch's hash tells when anything of it was altered."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.domain.access import Access, chained, read, shown_in, written

PLAN = "01920000-0000-7000-8000-000000000100"
PATIENT = "01920000-0000-7000-8000-000000000001"
STEP = "01920000-0000-7000-8000-000000000102"
AT = datetime(2027, 2, 5, 16, tzinfo=UTC)


def an_access() -> Access:
    """Somebody who read a plan."""
    return Access(
        at=AT,
        credential="key:booking",
        operation="read_plan",
        stored=False,
        ids=(PLAN, PATIENT, STEP),
        patients=(PATIENT,),
    )


def test_an_access_is_kept_as_it_was() -> None:
    assert Access.from_data(an_access().to_data()) == an_access()
    assert read(written([an_access()])) == (an_access(),)


def test_ids_come_from_the_address_and_the_answer_each_once() -> None:
    answer = (
        f'{{"id":"{PLAN}","patient_id":"{PATIENT}","location_id":"{UUID(int=7)}",'
        f'"steps":[{{"id":"{STEP}"}}],"moves":[{{"step_id":"{STEP}"}}]}}'
    )

    shown = shown_in({"plan_id": PLAN.upper()}, answer.encode())

    assert shown.ids == (PLAN, PATIENT, STEP)
    assert shown.patients == (PATIENT,)


def test_an_id_in_a_text_is_not_taken() -> None:
    answer = f'{{"note":"\\"id\\":\\"{PLAN}\\" {PLAN}","title":"{PLAN}"}}'

    assert shown_in({"day": "2027-03-10"}, answer.encode()).ids == ()


@pytest.mark.parametrize(
    "altered",
    [
        (UUID(int=2), 1, AT, "before", written([an_access()])),
        (UUID(int=1), 2, AT, "before", written([an_access()])),
        (UUID(int=1), 1, AT.replace(hour=17), "before", written([an_access()])),
        (UUID(int=1), 1, AT, "other", written([an_access()])),
        (UUID(int=1), 1, AT, "before", written([replace(an_access(), operation="list_plans")])),
        (UUID(int=1), 1, AT, "before", written([])),
    ],
    ids=["clinic", "number", "instant", "batch before", "access", "removed access"],
)
def test_whatever_is_altered_alters_the_hash(
    altered: tuple[UUID, int, datetime, str, str],
) -> None:
    assert chained(*altered) != chained(UUID(int=1), 1, AT, "before", written([an_access()]))


def test_whoever_the_address_names_is_a_patient() -> None:
    assert shown_in({"patient_id": PATIENT}, b"").patients == (PATIENT,)


def test_patients_are_known_in_resources_of_fhir() -> None:
    resource = (
        f'{{"resourceType":"Bundle","entry":[{{"resourceType":"Patient","id":"{PATIENT}"}},'
        f'{{"resourceType":"CarePlan","id":"{PLAN}","subject":{{"reference":"Patient/{STEP}"}}}}]}}'
    )

    shown = shown_in({"id": PLAN}, resource.encode())

    assert shown.ids == (PLAN, PATIENT, STEP)
    assert shown.patients == (PATIENT, STEP)
