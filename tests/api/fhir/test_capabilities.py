"""Everything that the capability statement declares is asked for, and found to be so."""

from collections.abc import Callable
from operator import itemgetter
from typing import Any
from urllib.parse import quote

import pytest
from fhir.resources.R4B import get_fhir_model_class

from app.api.fhir.application import FACES, interactions
from app.api.fhir.capabilities import capability_statement
from tests.api.fhir.given_fhir import BASE, R4, Data, following, get, ids, matches
from tests.api.given_plans import Desk, good
from tests.fhir_judging import BINDINGS, check

pytestmark = pytest.mark.long

STATEMENT = capability_statement(interactions(), "http://127.0.0.1:8000", BASE, "0")
RESOURCES: dict[str, Data] = {one["type"]: one for one in STATEMENT["rest"][0]["resource"]}
READ = [type_ for type_, one in RESOURCES.items() if {"code": "read"} in one["interaction"]]
SEARCHED = [
    (type_, parameter["name"])
    for type_, one in RESOURCES.items()
    for parameter in one.get("searchParam", ())
]
INCLUDED = [
    (type_, name, include)
    for type_, one in RESOURCES.items()
    for name, key in (("_include", "searchInclude"), ("_revinclude", "searchRevInclude"))
    for include in one.get(key, ())
]


def _reference(element: str) -> Callable[[Data], str]:
    def read(resource: Data) -> str:
        found = resource[element]
        one = found[-1] if isinstance(found, list) else found
        return str(one["reference"].partition("/_history")[0])

    return read


def _actor(type_: str) -> Callable[[Data], str]:
    def read(resource: Data) -> str:
        actors = [one["actor"].get("reference", "") for one in resource["participant"]]
        return next(str(actor) for actor in actors if actor.startswith(type_))

    return read


def _token(concept: Data) -> str:
    coding = concept["coding"][0]
    return f"{coding['system']}|{coding['code']}"


def _of_period(resource: Data) -> str:
    period = resource.get("period") or resource["occurrencePeriod"]
    return f"ge{period.get('start', '1900')}"


# How a resource would be looked for by each parameter; one that is missing fails the test.
VALUES: dict[str, Callable[[Data], str]] = {
    "_id": lambda one: str(one["id"]),
    "_lastUpdated": lambda one: f"ge{one['meta']['lastUpdated']}",
    "subject": lambda one: _reference("for" if "for" in one else "subject")(one),
    "status": lambda one: str(one["status"]),
    "identifier": lambda one: "{system}|{value}".format(**one["identifier"][0]),
    "instantiates-canonical": lambda one: str(one["instantiatesCanonical"][0]),
    "category": lambda one: _token(
        one["category"][0] if isinstance(one["category"], list) else one["category"]
    ),
    "code": lambda one: _token(one["code"]),
    "based-on": _reference("basedOn"),
    "occurrence": _of_period,
    "name": lambda one: str(
        one["name"] if isinstance(one["name"], str) else one["name"][0]["text"]
    ),
    "birthdate": lambda one: str(one["birthDate"]),
    "recorded": lambda one: f"ge{one['recorded']}",
    "location": _actor("Location"),
    "activity-reference": lambda one: str(one["activity"][1]["reference"]["reference"]),
    "agent-name": lambda one: str(one["agent"][0]["who"]["display"]),
    "target": lambda one: str(one["target"][0]["reference"].partition("/_history")[0]),
}
VALUES |= {name: itemgetter(name) for name in ("url", "version", "title", "criteria")}
NEVER = {
    "token": "urn:nothing|nothing",
    "reference": "00000000-0000-7000-8000-000000000000",
    "date": "2199-12-31",
    "string": "nobody is called so",
    "uri": "urn:nothing",
}


def value_of(resource: Data, name: str) -> str:
    """What finds this resource by a parameter."""
    if name == "date" and resource["resourceType"] == "AuditEvent":
        return f"ge{resource['recorded']}"
    if name == "date":
        day = resource.get("performedDateTime") or resource.get("start")
        if day is None and "requestedPeriod" in resource:
            day = resource["requestedPeriod"][0]["start"]
        return _of_period(resource) if day is None else str(day)[:10]
    if (resource["resourceType"], name) == ("Subscription", "url"):
        return str(resource["channel"]["endpoint"])
    if name == "patient" and resource["resourceType"] == "AuditEvent":
        return next(str(one["what"]["reference"]) for one in resource["entity"])
    if name == "patient":
        named = resource["resourceType"] == "Appointment"
        return (_actor("Patient") if named else VALUES["subject"])(resource)
    return VALUES[name](resource)


# How resources are found that are no patient's.
OF_NOBODY = {
    "PlanDefinition": "status=active",
    "ActivityDefinition": "status=active",
    "Subscription": "criteria=CarePlan",
}


async def one_of(desk: Desk, type_: str, name: str = "") -> Data:
    """A resource of this type which belongs to a new plan, and can be found by the parameter."""
    if type_ in {"Patient", "Location"}:
        patient = await desk.patient(
            name="Alex Example",
            birth_date="1975-06-30",
            identifiers=[desk.mrn | {"system": "urn:x"}],
        )
        which = {"Patient": patient, "Location": desk.location_id}
        return await get(desk.api, f"{type_}/{which[type_]}")
    of = OF_NOBODY.get(type_, f"patient={desk.patient_id}")
    found = matches(await get(desk.api, f"{type_}?{of}"))
    fits = [one for one in found if name in {"", "patient"} or _has(one, name)]
    return fits[0]


def _has(resource: Data, name: str) -> bool:
    try:
        return bool(value_of(resource, name))
    except (KeyError, IndexError, TypeError, StopIteration):
        return False


def test_the_statement_is_a_resource() -> None:
    check(STATEMENT)
    assert set(RESOURCES) == set(FACES)


def test_the_codes_of_every_type_are_judged() -> None:
    without_required_codes = {"Patient", "Provenance"}

    judged = {type_ for type_, _ in BINDINGS}

    assert judged >= set(FACES) - without_required_codes
    assert judged >= {"Bundle", "CapabilityStatement", "OperationOutcome"}


@pytest.mark.parametrize("type_", READ)
async def test_every_resource_is_read_as_it_is_found(shown: Desk, type_: str) -> None:
    resource = await one_of(shown, type_)

    answer = await shown.api.get(f"{R4}/{type_}/{resource['id']}")
    known = await shown.api.get(
        f"{R4}/{type_}/{resource['id']}", headers={"If-None-Match": answer.headers["etag"]}
    )

    assert answer.json() == resource
    assert answer.headers["etag"] == f'W/"{resource["meta"]["versionId"]}"'
    assert known.status_code == 304


@pytest.mark.parametrize(
    "type_", [t for t, one in RESOURCES.items() if {"code": "vread"} in one["interaction"]]
)
async def test_every_resource_is_read_at_the_version_it_has_and_at_no_other(
    shown: Desk, type_: str
) -> None:
    resource = await one_of(shown, type_)
    address = f"{type_}/{resource['id']}/_history"

    assert await get(shown.api, f"{address}/{resource['meta']['versionId']}") == resource
    assert (await shown.api.get(f"{R4}/{address}/4711")).status_code == 404


def test_versions_that_are_not_kept_are_not_promised() -> None:
    for resource in RESOURCES.values():
        codes = {one["code"] for one in resource["interaction"]}
        is_compared = resource["versioning"] == "versioned-update"
        assert (resource["readHistory"], is_compared) == (
            "history-instance" in codes,
            "update" in codes,
        )


@pytest.mark.parametrize(
    "type_",
    [t for t, one in RESOURCES.items() if {"code": "history-instance"} in one["interaction"]],
)
async def test_every_version_is_read_as_the_history_tells_it(shown: Desk, type_: str) -> None:
    resource = await one_of(shown, type_)
    at = f"{type_}/{resource['id']}"

    versions: list[Data] = []
    page: str | None = f"{R4}/{at}/_history?_count=2"
    while page:
        bundle = await good(shown.api.get(page))
        versions += [entry["resource"] for entry in bundle.get("entry", ())]
        page = following(bundle)

    assert versions[0] == resource
    numbers = [int(one["meta"]["versionId"]) for one in versions]
    assert numbers == sorted(set(numbers), reverse=True)
    for version in versions:
        number = version["meta"]["versionId"]
        assert await get(shown.api, f"{at}/_history/{number}") == version
    assert (await shown.api.get(f"{R4}/{at}/_history/999")).status_code == 404
    assert (await shown.api.get(f"{R4}/{at}/_history/x")).status_code == 404


@pytest.mark.parametrize("type_, name", SEARCHED)
async def test_every_parameter_finds_what_fits_and_nothing_else(
    shown: Desk, type_: str, name: str
) -> None:
    resource = await one_of(shown, type_, name)
    kind = next(p["type"] for p in RESOURCES[type_]["searchParam"] if p["name"] == name)
    of_provenance = (type_, name) == ("Provenance", "patient")  # it does not say whose plan it is
    value = shown.patient_id if of_provenance else value_of(resource, name)
    mine = f"_id={resource['id']}"

    by_get = await get(shown.api, f"{type_}?{mine}&{name}={quote(value)}")
    by_post = await good(
        shown.api.post(f"{R4}/{type_}/_search", data={"_id": resource["id"], name: value})
    )
    never = "9999" if name == "_lastUpdated" else NEVER[kind]
    never = "ge2199-12-31" if kind == "date" else never
    other = await get(shown.api, f"{type_}?{mine}&{name}={quote(never)}")

    assert ids(by_get) == [resource["id"]]
    assert ids(by_post) == [resource["id"]]
    assert ids(other) == []


@pytest.mark.parametrize("type_, name, include", INCLUDED)
async def test_every_include_brings_what_is_pointed_to(
    shown: Desk, type_: str, name: str, include: str
) -> None:
    resource = await one_of(shown, type_)
    if type_ == "ServiceRequest":
        wanted = "completed" if include == "Procedure:based-on" else "active"
        search = f"{type_}?patient={shown.patient_id}&status={wanted}"
    else:
        search = f"{type_}?_id={resource['id']}"

    bundle = await get(shown.api, f"{search}&{name}={include}")

    brought = [one["resource"] for one in bundle["entry"] if one["search"]["mode"] == "include"]
    assert brought
    if name == "_revinclude":
        assert {one["resourceType"] for one in brought} == {include.partition(":")[0]}


@pytest.mark.parametrize("type_", list(FACES))
@pytest.mark.parametrize("descending", ["", "-"])
async def test_every_order_goes_through_all_of_a_search(
    shown: Desk, type_: str, descending: str
) -> None:
    await one_of(shown, type_)
    mine = OF_NOBODY | {
        "Patient": f"_id={shown.patient_id}",
        "Location": f"_id={shown.location_id}",
    }
    search = f"{type_}?{mine.get(type_, f'patient={shown.patient_id}')}"
    if not FACES[type_].counted:
        assert FACES[type_].sorts == ()
        return
    whole = await get(shown.api, f"{search}&_total=accurate")

    for sort in FACES[type_].sorts:
        seen: list[str] = []
        page: str | None = f"{R4}/{search}&_count=2&_sort={descending}{sort}"
        while page:
            bundle = await good(shown.api.get(page))
            seen += ids(bundle)
            page = following(bundle)
        assert sorted(seen) == sorted(ids(whole))
        assert len(seen) == whole["total"]
    counted = await get(shown.api, f"{search}&_summary=count")
    assert counted["total"] == whole["total"]


@pytest.mark.parametrize("type_", READ)
async def test_every_summary_has_the_elements_that_the_specification_names(
    shown: Desk, type_: str
) -> None:
    resource = await one_of(shown, type_)
    model: Any = get_fhir_model_class(type_)
    official = {
        str(field.alias or name)
        for name, field in model.model_fields.items()
        if (field.json_schema_extra or {}).get("summary_element_property")
    }

    summary = await get(shown.api, f"{type_}/{resource['id']}?_summary=true")
    part = await get(shown.api, f"{type_}/{resource['id']}?_elements=id")

    always = {"resourceType", "id", "meta", *FACES[type_].mandatory}
    assert set(summary) == {name for name in resource if name in official | always}
    assert part["meta"]["tag"][-1]["code"] == "SUBSETTED"
