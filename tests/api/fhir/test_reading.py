"""What is seldom asked for: tasks in pages, versions since an instant, parts of resources."""

import pytest

from tests.api.fhir.given_fhir import (
    R4,
    SENT,
    SUBSCRIPTION,
    Data,
    following,
    get,
    ids,
    issue_of,
    matches,
)
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
    decision = (await get(desk.api, f"{search}&code=decision"))["entry"][0]["resource"]
    await living.change({"type": "revoke"})
    assert ids(await get(desk.api, search)) == []
    assert (await desk.api.get(f"{R4}/Task/{decision['id']}")).status_code == 404


async def test_what_waits_for_a_decision_is_a_draft_until_it_is_taken(desk: Desk) -> None:
    living = Living(desk, await desk.plan())
    tentative = {step["id"] for step in living.plan["steps"] if step["tentative"]}
    drafts = f"ServiceRequest?patient={desk.patient_id}&status=draft"

    waiting = matches(await get(desk.api, drafts))
    await living.on("2027-04-14")
    await living.change(
        {"type": "perform", "step": "session", "on": "2027-03-10"},
        {"type": "decide", "step": "booster_decision", "choice": "booster_six_weeks"},
    )

    assert living.id_of("booster") in tentative
    assert {one["id"]: one["status"] for one in waiting} == dict.fromkeys(tentative, "draft")
    assert matches(await get(desk.api, drafts)) == []


async def test_tasks_of_several_plans_are_gone_through_one_by_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.fhir.tasks._CHUNK", 1)
    plans = [await desk.plan(anchor={"date": day}) for day in ("2027-03-10", "2027-10-13")]
    first = Living(desk, plans[0])
    await first.on("2027-01-27")
    await first.change({"type": "miss", "step": "primer/2"})
    search = f"Task?patient={desk.patient_id}"

    everything = await _pages(desk, search)
    decisions = await _pages(desk, f"{search}&code=decision&_count=1")
    counted = await get(desk.api, f"{search}&_count=1&_total=accurate")

    assert await _pages(desk, f"{search}&_count=1") == everything
    assert {one.partition(".")[0] for one in decisions} == {plan["id"] for plan in plans}
    assert 2 <= len(decisions) < len(everything) == counted["total"]


async def test_a_version_is_what_a_revision_gave(desk: Desk) -> None:
    living = Living(desk, await desk.plan())
    plan, step = f"CarePlan/{living.plan['id']}", f"ServiceRequest/{living.id_of('primer/1')}"
    first = [await get(desk.api, at) for at in (plan, step)]
    await living.on("2027-01-20")
    await living.change({"type": "pin", "step": "primer/1", "to": "2027-02-17"})

    for at, before in zip((plan, step), first, strict=True):
        assert await get(desk.api, f"{at}/_history/1") == before
        assert await get(desk.api, f"{at}/_history/2") == await get(desk.api, at) != before
        for never in ("3", "x", "99999999"):
            issue_of(await desk.api.get(f"{R4}/{at}/_history/{never}"), 404)


@pytest.mark.parametrize("type_", ["Procedure", "Encounter"])
async def test_what_was_not_done_is_no_fact(desk: Desk, type_: str) -> None:
    living = Living(desk, await desk.plan())

    at = f"{R4}/{type_}/{living.id_of('session')}"

    assert issue_of(await desk.api.get(at), 404)["code"] == "not-found"


async def test_a_revision_is_found_by_its_id_and_its_plan(desk: Desk) -> None:
    plan, other = [await desk.plan(laterality=side) for side in ("left", "right")]
    mine = f"{plan['id']}.1"
    search = f"Provenance?_id={mine},{other['id']}.1&target"

    found = await get(desk.api, f"{search}=CarePlan/{plan['id']}")

    assert ids(found) == [mine]
    assert ids(await get(desk.api, f"{search}=CarePlan/nobody")) == []
    assert await get(desk.api, f"Provenance/{mine}") == found["entry"][0]["resource"]
    for never in (f"{plan['id']}.2", "nobody"):
        issue_of(await desk.api.get(f"{R4}/Provenance/{never}"), 404)


async def test_plans_are_found_by_the_protocol_they_follow(desk: Desk) -> None:
    plan = await get(desk.api, f"CarePlan/{(await desk.plan())['id']}")
    (canonical,) = plan["instantiatesCanonical"]
    url, _, version = canonical.partition("|")
    search = f"CarePlan?patient={desk.patient_id}&instantiates-canonical"

    for known in (canonical, url):
        assert ids(await get(desk.api, f"{search}={known}")) == [plan["id"]]
    for other in (f"{url}|0.{version}", f"http://example.org/{url}", f"{url}-other"):
        assert ids(await get(desk.api, f"{search}={other}")) == []


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


async def test_what_made_one_version_is_found_by_that_version(desk: Desk) -> None:
    living = Living(desk, await desk.plan())
    await living.change({"type": "pin", "step": "primer/1", "to": "2027-02-17"})
    plan_id = living.plan["id"]
    at = f"Provenance?target=CarePlan/{plan_id}"

    assert ids(await get(desk.api, at)) == [f"{plan_id}.1", f"{plan_id}.2"]
    assert ids(await get(desk.api, f"{at}/_history/2")) == [f"{plan_id}.2"]
    assert ids(await get(desk.api, f"{at}/_history/2&_id={plan_id}.1")) == []
    assert ids(await get(desk.api, f"{at}/_history/3")) == []


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


async def test_who_is_only_named_does_not_come_with_it(desk: Desk) -> None:
    plan = await desk.plan(practitioner="Dr Example")
    mine = f"Appointment?patient={desk.patient_id}&_include=Appointment"

    found = await get(desk.api, f"{mine}:location&_include=Appointment:patient")

    actors = [one["actor"] for one in matches(found)[0]["participant"]]
    assert {"display": "Dr Example"} in actors
    brought = [one["resource"]["id"] for one in found["entry"] if one["search"]["mode"] != "match"]
    assert brought == [plan["location_id"], desk.patient_id]


async def test_subscriptions_are_gone_through_page_by_page(desk: Desk) -> None:
    for _ in range(2):
        body = {**SUBSCRIPTION, "criteria": "Task"}
        await good(desk.api.post(f"{R4}/Subscription", json=body, headers=SENT))

    seen = await _pages(desk, "Subscription?criteria=Task&_count=1")

    assert len(seen) == len(set(seen)) >= 2
