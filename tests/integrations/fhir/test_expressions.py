"""Conditions in FHIRPath: what holds of a patient, and what is not evaluated at all."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from app.integrations.fhir.expressions import ConditionNotEvaluated, condition_holds

NOW = datetime(2027, 3, 10, 8, 30, tzinfo=UTC)
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "one",
    "active": True,
    "birthDate": "2009-03-10",
    "identifier": [{"system": f"urn:example:{n}", "value": str(n)} for n in range(20)],
}


@pytest.mark.parametrize(
    "expression, holds",
    [
        ("true", True),
        ("Patient.active", True),
        ("active.not()", False),
        ("Patient.birthDate <= today() - 18 years", True),
        ("Patient.birthDate < today() - 18 years", False),
        ("now() > @2027-03-10T08:00:00Z", True),
        ("Patient.gender = 'female'", False),
        ("Patient.gender.exists() or Patient.identifier.count() = 20", True),
        ("Patient.identifier.where(system = 'urn:example:3').value = '3'", True),
        ("Patient.identifier.exists(value.startsWith('1') and $this.system.exists())", True),
        ("%resource.identifier.all(value.length() < 3)", True),
        ("Patient.name.given contains 'today()'", False),
        ("Patient.name", False),
        ("iif(Patient.active, 1 < 2, false)", True),
    ],
)
def test_a_condition_holds_of_a_patient_or_does_not(expression: str, holds: bool) -> None:
    assert condition_holds(expression, PATIENT, NOW) is holds


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("Patient.birthDate", id="no truth"),
        pytest.param("Patient.identifier.value", id="many"),
        pytest.param("Patient..active", id="no expression"),
        pytest.param("Patient.active and", id="half an expression"),
        pytest.param("Patient.active; true", id="a sign of another language"),
        pytest.param("'never closed", id="open text"),
        pytest.param("", id="nothing"),
        pytest.param("Patient.name.given.matches('(a+)+$')", id="patterns"),
        pytest.param("Patient.repeat(identifier).exists()", id="repeating"),
        pytest.param("Patient.descendants().exists()", id="everything"),
        pytest.param("Patient.identifier.select(%resource.identifier).exists()", id="products"),
        pytest.param("resolve().exists()", id="other resources"),
        pytest.param("%secret = 1", id="an unknown variable"),
        pytest.param("%`vs-name` = 1", id="a quoted variable"),
        pytest.param("(" * 200 + "true" + ")" * 200, id="deep"),
        pytest.param("true" + " and true" * 400, id="long"),
        pytest.param("1 / 0 = 'x' + 3", id="no sum"),
        pytest.param(
            "identifier.where(%resource.identifier.where(%resource.identifier.where(true)))",
            id="lists in lists in lists",
        ),
    ],
)
def test_what_is_no_condition_or_could_run_long_is_not_evaluated(expression: str) -> None:
    with pytest.raises(ConditionNotEvaluated):
        condition_holds(expression, PATIENT, NOW)


@pytest.mark.parametrize(
    "expression",
    [
        "true" + " and true" * 99,
        "(" * 12 + "true" + ")" * 12,
        "Patient.identifier.where(%resource.identifier.where(value.exists()).exists()).exists()",
    ],
)
def test_the_largest_that_is_evaluated_takes_no_time(expression: str) -> None:
    condition_holds("true", PATIENT, NOW)
    began = time.perf_counter()

    condition_holds(expression, PATIENT, NOW)

    assert time.perf_counter() - began < 2
