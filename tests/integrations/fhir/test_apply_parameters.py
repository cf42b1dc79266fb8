"""What ``$apply`` is asked: read, or refused where it is."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from app.integrations.fhir.apply_parameters import Asked, read_parameters
from app.integrations.fhir.findings import Findings

Data = dict[str, Any]
ID = "01920000-0000-7000-8000-000000000001"
SUBJECT: Data = {"name": "subject", "valueString": f"Patient/{ID}"}
AT = "Parameters.parameter[1]"


def read(*parameters: Data, subject: Data | None = SUBJECT) -> tuple[Asked, dict[str, str]]:
    """What is asked, and what is refused of it."""
    findings = Findings()
    listed = [*([] if subject is None else [subject]), *parameters]
    asked = read_parameters({"resourceType": "Parameters", "parameter": listed}, findings)
    return asked, {one.expression: one.code for one in findings.refused}


def day(**parts: Data) -> Data:
    """The anchor's parameter."""
    listed = [{"name": name, **part} for name, part in parts.items()]
    return {"name": "anchor", "part": listed}


@pytest.mark.parametrize(
    "value, patient",
    [
        ({"valueString": f"Patient/{ID}"}, UUID(ID)),
        ({"valueString": ID}, UUID(ID)),
        ({"valueString": f"http://e.org/fhir/Patient/{ID}"}, UUID(ID)),
        ({"valueReference": {"reference": f"Patient/{ID}"}}, UUID(ID)),
        ({"valueString": "Patient?identifier=urn:x|5"}, ("urn:x", "5")),
        (
            {"valueReference": {"identifier": {"system": "urn:x", "value": "5"}}},
            ("urn:x", "5"),
        ),
    ],
)
def test_a_patient_is_named_in_several_ways(value: Data, patient: Any) -> None:
    asked, refused = read(subject={"name": "subject", **value})

    assert (asked.patient, refused) == (patient, {})


def test_everything_that_can_be_asked_is_read() -> None:
    asked, refused = read(
        {"name": "practitioner", "valueString": "Practitioner/7"},
        {"name": "location", "valueReference": {"reference": f"Location/{ID}"}},
        {"name": "timezone", "valueCode": "America/Denver"},
        {"name": "laterality", "valueCode": "left"},
        {"name": "notBefore", "valueDate": "2027-01-05"},
        {"name": "identifier", "valueIdentifier": {"system": "urn:x", "value": "5"}},
        {"name": "persist", "valueBoolean": True},
        {"name": "canonical", "valueCanonical": "urn:x|1"},
        day(action={"valueId": "s"}, date={"valueDateTime": "2027-03-10T04:30:00-07:00"}),
        day(earliest={"valueDate": "2027-03-10"}, until={"valueDate": "2027-03-12"}),
    )

    assert refused == {}
    assert (asked.practitioner, asked.location, asked.time_zone) == (
        "7",
        UUID(ID),
        "America/Denver",
    )
    assert (asked.laterality, asked.not_before, asked.persist) == ("left", date(2027, 1, 5), True)
    assert (asked.identifiers, asked.canonical) == ([("urn:x", "5")], "urn:x|1")
    first, second = asked.days
    moment = datetime(2027, 3, 10, 4, 30, tzinfo=timezone(-timedelta(hours=7)))
    assert first.on == moment.astimezone(UTC)
    assert (second.earliest, second.until) == (date(2027, 3, 10), date(2027, 3, 12))


@pytest.mark.parametrize(
    "parameter, place, code",
    [
        ({"name": "subject", "valueString": f"Patient/{ID}"}, AT, "business-rule"),
        ({"valueString": "x"}, AT, "not-supported"),
        ({"name": 5}, f"{AT}.name", "structure"),
        ({"name": "canonical"}, AT, "structure"),
        ({"name": "canonical", "valueString": ""}, AT, "value"),
        ({"name": "canonical", "valueString": "x" * 501}, AT, "value"),
        ({"name": "canonical", "valueString": 5}, AT, "value"),
        (
            {"name": "planDefinition", "resource": {"resourceType": "Patient"}},
            f"{AT}.resource",
            "structure",
        ),
        ({"name": "location", "valueString": "Patient/1"}, AT, "value"),
        ({"name": "location", "valueString": "Location/1"}, AT, "not-found"),
        ({"name": "location", "valueReference": {}}, AT, "value"),
        ({"name": "location", "valueReference": 5}, AT, "value"),
        ({"name": "location", "valueReference": {"identifier": 5}}, AT, "value"),
        ({"name": "practitioner", "valueString": "x" * 201}, AT, "too-long"),
        ({"name": "laterality", "valueCode": "up"}, AT, "code-invalid"),
        ({"name": "persist", "valueBoolean": "yes"}, AT, "value"),
        ({"name": "notBefore", "valueDate": "2027-03"}, AT, "value"),
        ({"name": "notBefore", "valueDate": "1066-10-14"}, AT, "value"),
        (day(date={"valueDateTime": "2027-03-10Tnoon"}), f"{AT}.part[0]", "value"),
        (day(date={"valueDateTime": "2027-03-10T12:00:00"}), f"{AT}.part[0]", "value"),
        (day(colour={"valueCode": "red"}), f"{AT}.part[0]", "not-supported"),
        (
            day(earliest={"valueDate": "2027-03-10"}, until={"valueDate": "2027-03-09"}),
            AT,
            "value",
        ),
        (
            day(date={"valueDate": "2027-03-10"}, until={"valueDate": "2027-03-11"}),
            AT,
            "business-rule",
        ),
        ({"name": "choice", "part": 5}, f"{AT}.part", "structure"),
        (
            {
                "name": "choice",
                "part": [
                    {"name": "parameter", "valueString": "x"},
                    {"name": "value", "valueInteger": True},
                ],
            },
            f"{AT}.part[1]",
            "value",
        ),
    ],
)
def test_what_is_not_understood_is_refused_where_it_is(
    parameter: Data, place: str, code: str
) -> None:
    _, refused = read(parameter)

    assert refused[place] == code


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"resourceType": "Patient"},
        {"resourceType": "Parameters", "colour": "red"},
        {"resourceType": "Parameters", "parameter": [{"name": "x"}] * 201},
        {"resourceType": "Parameters"},
    ],
)
def test_what_are_no_parameters_is_refused(body: Any) -> None:
    findings = Findings()

    read_parameters(body, findings)

    assert findings.refused
