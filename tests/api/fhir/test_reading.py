"""What is seldom asked for: tasks in pages, versions since an instant, parts of resources."""

from tests.api.fhir.given_fhir import R4, SENT, SUBSCRIPTION, Data, following, get, ids, issue_of
from tests.api.given_changes import Living
from tests.api.given_plans import Desk, good


async def _pages(desk: Desk, search: str) -> list[str]:
    seen: list[str] = []
    page: str | None = f"{R4}/{search}"
    while page:
        bundle = await good(desk.api.get(page))
        seen += ids(bundle)
        page = following(bundle)
    return seen


async def test_what_waits_for_a_person_is_a_task_as_long_as_it_waits(desk: Desk) -> None:
    living = Living(desk, await desk.plan())
    await living.on("2027-01-27")
    await living.change({"type": "miss", "step": "primer/2"})
    search = f"Task?patient={desk.patient_id}"

    whole = await get(desk.api, search)
    codes = [one["resource"]["code"]["coding"][0]["code"] for one in whole["entry"]]
    missed = next(
        one["resource"] for one in whole["entry"] if "missed" in str(one["resource"]["code"])
    )

    assert "missed" in codes
    assert "decision" in codes
    assert missed["focus"]["reference"] == f"ServiceRequest/{living.id_of('primer/2')}"
    assert await get(desk.api, f"Task/{missed['id']}") == missed
    assert await _pages(desk, f"{search}&_count=1") == ids(whole)
    assert ids(await get(desk.api, f"{search}&code=missed")) == [missed["id"]]
    of_plan = f"Task?_id={missed['id']}&based-on=CarePlan/{living.plan['id']}"
    assert ids(await get(desk.api, of_plan)) == [missed["id"]]

    await living.change({"type": "perform", "step": "primer/2", "on": "2027-01-27"})
    assert (await desk.api.get(f"{R4}/Task/{missed['id']}")).status_code == 404
    await living.change({"type": "revoke"})
    assert ids(await get(desk.api, search)) == []


async def test_tasks_of_several_plans_are_gone_through_one_by_one(desk: Desk) -> None:
    for anchor in ("2027-03-10", "2027-10-13"):
        await desk.plan(anchor={"date": anchor})
    search = f"Task?patient={desk.patient_id}"

    assert len(await _pages(desk, f"{search}&_count=1")) >= 2
    assert await _pages(desk, f"{search}&_count=1") == await _pages(desk, search)


async def test_a_breach_is_a_task_until_somebody_has_seen_it(desk: Desk) -> None:
    living = Living(desk, await desk.plan())
    await living.on("2027-03-08")
    answer = await living.change({"type": "report", "finding": "fever", "on": "2027-03-08"})
    breach = answer["breaches"][0]["id"]
    search = f"Task?patient={desk.patient_id}&code=breach"

    waiting = await get(desk.api, search)
    await living.change({"type": "acknowledge", "breach": breach})

    named = [{"url": "urn:regimen:fhir:breach", "valueString": breach}]
    tasks = [entry["resource"] for entry in waiting["entry"]]
    (task,) = [one for one in tasks if one["extension"] == named]
    assert task["focus"]["reference"] == f"CarePlan/{living.plan['id']}"
    assert ids(await get(desk.api, search)) == [one["id"] for one in tasks if one != task]


async def test_versions_are_told_since_an_instant(desk: Desk) -> None:
    living = Living(desk, await desk.plan())
    await living.on("2027-01-20")
    await living.change({"type": "pin", "step": "primer/1", "to": "2027-02-17"})
    at = f"CarePlan/{living.plan['id']}/_history"

    since = await get(desk.api, f"{at}?_since=2027-01-20")
    never = await get(desk.api, f"{at}?_since=2027-12-31T00:00:00Z&_count=1")
    refused = await desk.api.get(f"{R4}/{at}?colour=red")
    odd = await desk.api.get(f"{R4}/{at}?_since=lately")

    assert [one["response"]["etag"] for one in since["entry"]] == ['W/"2"']
    assert "entry" not in never
    assert issue_of(refused, 400)["code"] == "not-supported"
    assert issue_of(odd, 400)["code"] == "value"


async def test_a_summary_is_the_text_or_everything_else(desk: Desk) -> None:
    plan = await desk.plan(note="see <b>record</b>")
    at = f"CarePlan/{plan['id']}"

    text = await get(desk.api, f"{at}?_summary=text")
    data = await get(desk.api, f"{at}?_summary=data")
    found = await get(desk.api, f"CarePlan?_id={plan['id']}&_summary=data")

    assert set(text) == {"resourceType", "id", "meta", "text", "status", "intent", "subject"}
    assert "text" not in data
    assert len(data["activity"]) == len(plan["steps"]) + 1
    assert found["entry"][0]["resource"] == data


async def test_a_locations_hours_are_told_where_they_are_known(desk: Desk) -> None:
    hours = [{"weekday": 2, "opens": "08:00", "closes": "17:00"}]
    id_ = await desk.location(hours=hours)

    found = await get(desk.api, f"Location/{id_}")

    assert found["hoursOfOperation"] == [
        {"daysOfWeek": ["tue"], "openingTime": "08:00:00", "closingTime": "17:00:00"}
    ]


async def test_what_is_included_is_there_once_and_nothing_where_nothing_is(desk: Desk) -> None:
    await desk.plan()
    await desk.plan(anchor={"date": "2027-10-13"})
    mine = f"CarePlan?patient={desk.patient_id}&_include=CarePlan:subject"

    both: Data = await get(desk.api, mine)
    none = await get(desk.api, f"{mine}&status=completed")

    brought = [one for one in both["entry"] if one["search"]["mode"] == "include"]
    assert [one["resource"]["id"] for one in brought] == [desk.patient_id]
    assert "entry" not in none


async def test_subscriptions_are_gone_through_page_by_page(desk: Desk) -> None:
    for _ in range(2):
        body = {**SUBSCRIPTION, "criteria": "Task"}
        await good(desk.api.post(f"{R4}/Subscription", json=body, headers=SENT))

    seen = await _pages(desk, "Subscription?criteria=Task&_count=1")

    assert len(seen) == len(set(seen)) >= 2
