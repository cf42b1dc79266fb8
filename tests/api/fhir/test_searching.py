"""Everything by which a face may be searched finds what fits by each modifier, chain and prefix."""

from urllib.parse import quote

import pytest

from app.api.fhir.application import FACES
from app.api.fhir.queries import Parameter
from tests.api.fhir.given_fhir import (
    R4,
    Data,
    following,
    get,
    ids,
    issue_of,
    living_plan,
    matches,
)
from tests.api.fhir.test_capabilities import one_of, value_of
from tests.api.given_changes import Living
from tests.api.given_plans import Desk, good

PARAMETERS = [(type_, one) for type_, face in FACES.items() for one in face.parameters]


def those(kind: str) -> list[object]:
    """The parameters of a kind, with their types of resource."""
    return [
        pytest.param(type_, one, id=f"{type_}-{one.name}")
        for type_, one in PARAMETERS
        if one.type == kind
    ]


OF_PATIENTS = [p for p in those("reference") if "Patient" in p.values[1].targets]  # type: ignore[attr-defined]  # a parameter of pytest


@pytest.mark.parametrize("type_, parameter", OF_PATIENTS)
async def test_what_is_a_patients_is_found_by_the_patients_identifier(
    shown: Desk, type_: str, parameter: Parameter
) -> None:
    resource = await one_of(shown, type_)
    patient = await get(shown.api, f"Patient/{shown.patient_id}")
    named = "{system}|{value}".format(**patient["identifier"][0])
    mine = f"{type_}?_id={resource['id']}&{parameter.name}"

    for form in (".identifier", ":Patient.identifier", ":identifier"):
        found = await get(shown.api, f"{mine}{form}={quote(named)}")
        assert ids(found) == [resource["id"]], form
    assert ids(await get(shown.api, f"{mine}.identifier=urn:nobody|0")) == []


async def test_a_chain_goes_on_over_the_pages_and_says_nothing_of_whom(shown: Desk) -> None:
    patient = await get(shown.api, f"Patient/{shown.patient_id}")
    form = {"patient.identifier": patient["identifier"][0]["value"], "_count": "3"}
    page = await good(shown.api.post(f"{R4}/ServiceRequest/_search", data=form))
    seen = ids(page)

    while (url := following(page)) is not None:
        assert form["patient.identifier"] not in url
        page = await good(shown.api.get(url))
        seen += ids(page)

    whole = await get(shown.api, f"ServiceRequest?patient={shown.patient_id}&_count=200")
    assert sorted(seen) == sorted(ids(whole))


async def test_a_chain_may_say_more_than_one_thing(own_desk: Desk) -> None:
    await living_plan(own_desk)
    mine = f"ServiceRequest?patient={own_desk.patient_id}&_count=200"
    named = f"patient.identifier={own_desk.mrn['value']}"

    active = await get(own_desk.api, f"{mine}&based-on.status=active&{named}")
    none = await get(own_desk.api, f"{mine}&based-on.status=active&based-on.status:not=active")

    assert ids(active) == ids(await get(own_desk.api, mine)) != []
    assert ids(none) == []


@pytest.mark.parametrize("type_, parameter", [p for p in those("token") if p.values[1].codes])  # type: ignore[attr-defined]  # as above
async def test_what_has_another_code_is_found_by_not(
    shown: Desk, type_: str, parameter: Parameter
) -> None:
    resource = await one_of(shown, type_, parameter.name)
    code = value_of(resource, parameter.name).rpartition("|")[2]
    other = next((one for one in parameter.codes if one != code), "nothing")
    search = f"{type_}?_id={resource['id']}&{parameter.name}:not"

    assert code in parameter.codes
    assert ids(await get(shown.api, f"{search}={other}")) == [resource["id"]]
    assert ids(await get(shown.api, f"{search}={other},{code}")) == []


@pytest.mark.parametrize("type_, parameter", those("string"))
async def test_a_text_is_found_as_it_is_written(
    shown: Desk, type_: str, parameter: Parameter
) -> None:
    resource = await one_of(shown, type_, parameter.name)
    text = value_of(resource, parameter.name).replace(",", "\\,")
    search = f"{type_}?_id={resource['id']}&{parameter.name}"

    assert ids(await get(shown.api, f"{search}:exact={quote(text)}")) == [resource["id"]]
    assert ids(await get(shown.api, f"{search}:contains={quote(text)}")) == [resource["id"]]
    assert ids(await get(shown.api, f"{search}:exact={quote(text[:-1])}")) == []


ELEMENTS = {
    "birthdate": {"birthDate"},
    "date": {"period"},
    "occurrence": {"occurrencePeriod", "occurrenceDateTime"},
}


@pytest.mark.parametrize(
    "type_, name", [(type_, one.name) for type_, one in PARAMETERS if one.optional]
)
async def test_what_a_resource_has_not_is_found_by_missing(
    desk: Desk, type_: str, name: str
) -> None:
    born = {"birth_date": "1975-06-30", "name": "Alex Example"}
    patients = [
        await desk.patient(),
        await desk.patient(**born, identifiers=[{"system": "urn:m", "value": desk.patient_id}]),
    ]
    await desk.plan(identifiers=[{"system": "urn:m", "value": desk.patient_id}])
    postponed = Living(desk, await desk.plan(laterality="left"))
    await postponed.change({"type": "move_anchor", "to": None})
    of = f"_id={','.join(patients)}" if type_ == "Patient" else f"patient={desk.patient_id}"
    mine = f"{type_}?{of}&_count=200"

    without = ids(await get(desk.api, f"{mine}&{name}:missing=true"))
    others = ids(await get(desk.api, f"{mine}&{name}:missing=false"))

    whole = matches(await get(desk.api, mine))
    elements = ELEMENTS.get(name, {name})
    assert set(without) == {one["id"] for one in whole if not elements & one.keys()} != set()
    assert set(others) == {one["id"] for one in whole} - set(without) != set()


async def test_a_chain_may_ask_for_what_is_missing(desk: Desk) -> None:
    plan = await desk.plan()
    mine = f"CarePlan?_id={plan['id']}&patient.birthdate:missing"

    assert ids(await get(desk.api, f"{mine}=false")) == [plan["id"]]


@pytest.mark.parametrize(
    "asked, fits",
    [
        ("birthdate=ne1975-06-30", False),
        ("birthdate=ne1975", False),
        ("birthdate=ne1975-07", True),
        ("birthdate=ne1974&birthdate=ne1976", True),
        ("birthdate=ap1975-06-30", True),
        ("birthdate=ap1979", True),
        ("birthdate=ap2015", False),
        ("_lastUpdated=ne2027-01-04", False),
        ("_lastUpdated=ne2026", True),
        ("_lastUpdated=2027-01-04T16:00", True),
        ("_lastUpdated=2027-01-04T17:00:00%2B01:00", True),
        ("_lastUpdated=2027-01-04T16:00:00.000001Z", False),
        ("_lastUpdated=gt2027-01-04T15:59Z", True),
        ("_lastUpdated=gt2027-01-04T16:00Z", False),
        ("_lastUpdated=ap2027-01-04", True),
        ("_lastUpdated=ap1999", False),
    ],
)
async def test_dates_are_unlike_or_near_another(desk: Desk, asked: str, fits: bool) -> None:
    found = await get(desk.api, f"Patient?_id={desk.patient_id}&{asked}")

    assert ids(found) == ([desk.patient_id] if fits else [])


async def test_what_is_not_on_a_day_is_on_another(shown: Desk) -> None:
    mine = f"ServiceRequest?patient={shown.patient_id}&_count=200"
    whole = matches(await get(shown.api, mine))
    periods = {one["id"]: one.get("occurrencePeriod", {}) for one in whole}
    some = next(
        id_
        for id_, one in periods.items()
        if one.get("start", "")[:4] == one.get("end", "?")[:4] == "2027"
    )

    near = await get(shown.api, f"{mine}&occurrence=ap{periods[some]['start']}")
    other = await get(shown.api, f"{mine}&occurrence=ne2027")

    assert some in ids(near)
    assert some not in ids(other)


async def test_what_is_sorted_by_several_things_is_in_their_order(shown: Desk) -> None:
    search = f"Appointment?patient={shown.patient_id}&_count=2&_sort=-_lastUpdated,date,-_id"
    seen: list[Data] = []
    page: str | None = f"{R4}/{search}"
    while page is not None:
        bundle = await good(shown.api.get(page))
        seen += matches(bundle)
        page = following(bundle)

    def key(one: Data) -> tuple[str, int]:
        days = one.get("requestedPeriod", [{}])[0].get("start", one.get("start", "2200"))
        return str(days)[:10], -int(one["id"].replace("-", ""), 16)

    assert len(seen) == len({one["id"] for one in seen}) > 5
    assert seen == sorted(seen, key=key)


@pytest.mark.parametrize(
    "asked, code",
    [
        ("CarePlan?subject:Location.name=x", "not-supported"),
        ("CarePlan?subject:Practitioner=x", "not-supported"),
        ("CarePlan?patient.telecom=x", "not-supported"),
        ("CarePlan?patient.identifier:not=x", "not-supported"),
        ("CarePlan?patient.birthdate=x", "value"),
        ("CarePlan?_lastUpdated=2027-01-04T16", "value"),
        ("CarePlan?instantiates-canonical:identifier=x", "not-supported"),
        ("CarePlan?identifier:not=x", "not-supported"),
        ("CarePlan?status:missing=true", "not-supported"),
        ("CarePlan?date:missing=perhaps", "code-invalid"),
        ("CarePlan?date:missing=true&date:missing=false", "code-invalid"),
        ("CarePlan?_has:ServiceRequest:based-on:status=active", "not-supported"),
        ("CarePlan?patient.identifier.system=x", "not-supported"),
        ("AuditEvent?date=ne2027", "not-supported"),
        ("AuditEvent?_sort=_id", "not-supported"),
        ("Provenance?_sort=-recorded", "not-supported"),
        ("Patient?_sort=_id,-_id", "not-supported"),
        ("Patient?_sort=_lastUpdated&_sort=_id", "not-supported"),
        ("Patient?name:text=x", "not-supported"),
        ("Patient?_elements=name&_summary=text", "not-supported"),
    ],
)
async def test_what_is_not_searched_is_refused(shown: Desk, asked: str, code: str) -> None:
    answer = await shown.api.get(f"{R4}/{asked}")

    assert issue_of(answer, 400)["code"] == code


async def test_a_chain_at_whose_end_too_many_are_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.fhir.chaining.MOST_CHAINED", 1)
    for _ in range(2):
        await desk.patient(name="Namesake of many")

    answer = await desk.api.get(f"{R4}/CarePlan?patient.name=namesake+of")

    assert issue_of(answer, 400)["code"] == "too-costly"


@pytest.mark.parametrize("name", ["_include=CarePlan:patient", "_revinclude=Provenance:target"])
async def test_what_comes_with_a_page_is_not_cut_off_in_silence(
    living: Living, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("app.api.fhir.including.MOST_INCLUDED", 1)
    other = await living.desk.patient()
    await living.desk.plan(patient={"id": other})
    both = f"{R4}/CarePlan?patient={living.desk.patient_id},{other}&{name}"

    answer = await living.desk.api.get(both)
    fewer = await living.desk.api.get(f"{both}&_count=1")

    assert issue_of(answer, 400)["code"] == "too-costly"
    assert fewer.status_code == 200, fewer.text


async def test_elements_may_be_named_apart(shown: Desk) -> None:
    at = f"Patient/{shown.patient_id}"

    found = await get(shown.api, f"{at}?_elements=birthDate&_elements=identifier&_summary=false")

    assert set(found) == {"resourceType", "id", "meta", "birthDate", "identifier"}
