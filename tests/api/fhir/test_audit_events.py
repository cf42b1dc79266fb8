"""The account of access is read over FHIR by who may look into it."""

import pytest

from app.domain.permissions import Role
from tests.api.fhir.given_fhir import R4, following, get, issue_of, matches
from tests.api.given_callers import headers
from tests.api.given_plans import Desk, good


async def test_every_access_to_a_patients_data_is_an_event(desk: Desk) -> None:
    plan = await desk.plan()
    await get(desk.api, f"CarePlan/{plan['id']}")
    await desk.app.state.account.commit()

    found = matches(await get(desk.api, f"AuditEvent?patient={desk.patient_id}"))

    told = [(one["subtype"][0]["code"], one["action"]) for one in found]
    assert told[0] == ("CarePlan.read", "R")
    assert ("create_plan", "C") in told
    assert all(one["agent"][0]["who"]["display"] == "local" for one in found)
    entities = [one["what"].get("reference") for one in found[0]["entity"]]
    assert f"Patient/{desk.patient_id}" in entities


async def test_an_access_that_showed_nothing_is_an_event_of_nobody(own_desk: Desk) -> None:
    await get(own_desk.api, "CarePlan?_id=nobody")
    await own_desk.app.state.account.commit()

    bundle = await get(own_desk.api, "AuditEvent?_include=AuditEvent:patient")

    first = matches(bundle)[0]
    assert first["subtype"][0]["code"] == "CarePlan.search-type"
    assert "entity" not in first
    others = [one["resource"]["id"] for one in bundle["entry"] if one["search"]["mode"] != "match"]
    assert others == [own_desk.patient_id]


async def test_the_account_is_gone_through_page_by_page(desk: Desk) -> None:
    for _ in range(3):
        await get(desk.api, f"Patient/{desk.patient_id}")
    await desk.app.state.account.commit()
    until = matches(await get(desk.api, f"AuditEvent?patient={desk.patient_id}"))

    seen: list[str] = []
    page: str | None = (
        f"{R4}/AuditEvent?patient={desk.patient_id}&_count=1&date=le{until[0]['recorded']}"
    )
    while page:
        bundle = await good(desk.api.get(page))
        seen += [one["id"] for one in matches(bundle)]
        page = following(bundle)

    assert seen == [one["id"] for one in until]


@pytest.mark.parametrize(
    "search, code",
    [
        ("_total=accurate", "not-supported"),
        ("_summary=count", "not-supported"),
        ("_count=0", "not-supported"),
        ("_sort=date", "not-supported"),
        (f"patient={R4[1:5]},x", None),
        ("agent-name=a,b", "not-supported"),
        (
            "patient=00000000-0000-7000-8000-000000000000,00000000-0000-7000-8000-000000000001",
            "not-supported",
        ),
    ],
)
async def test_what_would_take_too_long_is_refused(
    desk: Desk, search: str, code: str | None
) -> None:
    answer = await desk.api.get(f"{R4}/AuditEvent?{search}")

    if code is None:
        assert matches(answer.json()) == []
    else:
        assert issue_of(answer, 400)["code"] == code


@pytest.mark.parametrize("id_", ["x", "0.0", "999999999.0", "1.999999"])
async def test_an_access_that_is_not_there_is_not_found(desk: Desk, id_: str) -> None:
    assert issue_of(await desk.api.get(f"{R4}/AuditEvent/{id_}"), 404)["code"] == "not-found"
    assert matches(await get(desk.api, f"AuditEvent?_id={id_}")) == []


async def test_only_who_may_look_into_the_account_is_told(own_desk: Desk) -> None:
    desk = own_desk
    able, unable = await headers(desk.app, Role.ADMIN), await headers(desk.app, Role.CLINICIAN)

    told = await desk.api.get(f"{R4}/AuditEvent", headers=able)
    refused = await desk.api.get(f"{R4}/AuditEvent", headers=unable)

    assert told.status_code == 200
    assert issue_of(refused, 403)["code"] == "forbidden"
