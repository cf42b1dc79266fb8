"""Work over many plans: a location closes, a version is replaced; each plan apart, explained."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.protocols import ProtocolRepository
from app.worker import Worker
from tests.api.given_changes import Living, did, living, moved
from tests.api.given_plans import ANKLE, NOBODY, Data, Desk, good, store_protocol
from tests.client import Answer

WORKS: Data = {"title": "Works", "key": "works", "from": "2027-03-24", "to": "2027-03-26"}


async def plans_of(desk: Desk, count: int, **fields: Any) -> list[Living]:
    """Plans of as many patients, without primers and orthotics."""
    found = []
    for _ in range(count):
        body: Data = {
            "patient": {"id": await desk.patient()},
            "parameters": {"primer_count": 0, "orthotics": "declined"},
            "unavailable": [],
        }
        found.append(await living(desk, **{**body, **fields}))
    return found


async def close(desk: Desk, **fields: Any) -> Answer:
    """Close the desk's location for three days in March."""
    body = {"location_id": desk.location_id, **WORKS, **fields}
    return await desk.api.post("/v1/closures", json=body)


async def work(desk: Desk) -> None:
    """Let a worker do everything there is to do."""
    worker = Worker(desk.app.state.database)
    while await worker.work():
        pass


async def results(desk: Desk, batch: Data, **fields: Any) -> dict[str, Data]:
    """What became of each plan of a batch."""
    url = f"/v1/batches/{batch['id']}/items"
    items = (await good(desk.api.get(url, params=fields)))["items"]
    return {item["plan_id"]: item for item in items}


async def read(plan: Living) -> Living:
    """The plan as it is now."""
    plan.plan = await good(plan.desk.api.get(plan.url))
    return plan


async def test_a_preview_names_the_plans_and_steps_that_a_closure_touches(desk: Desk) -> None:
    first, second = await plans_of(desk, 2)
    await second.change({"type": "move_anchor", "to": "2027-06-02"})
    rows = await desk.rows()
    body = {"location_id": desk.location_id, **WORKS}

    seen = await good(desk.api.post("/v1/closures/preview", json=body))

    steps = {first.id_of("followup_2w"), first.id_of("rehab_visits/1")}
    assert seen["total"] == 1
    assert [plan["plan_id"] for plan in seen["plans"]] == [first.plan["id"]]
    assert set(seen["plans"][0]["step_ids"]) == steps
    assert await desk.rows() == rows


async def test_a_closure_that_touches_nothing_makes_no_batch(desk: Desk) -> None:
    await plans_of(desk, 1)

    answer = await close(desk, **{"from": "2027-03-27", "to": "2027-03-29"})

    assert (answer.status_code, answer.json()["batch"]) == (201, None)


async def test_a_closure_flags_what_it_touches_until_it_is_solved_again(desk: Desk) -> None:
    (plan,) = await plans_of(desk, 1)
    before = plan.days
    tag = (await desk.api.get(plan.url)).headers["etag"]

    answer = await close(desk)

    closure = answer.json()
    batch = closure["batch"]
    assert answer.status_code == 202
    assert (batch["kind"], batch["status"], batch["total"], batch["done"]) == (
        "closure",
        "running",
        1,
        0,
    )
    assert batch["request"] == {"closure_id": closure["id"], "reason": "Works"}
    await read(plan)
    assert plan.days == before
    assert {b["rule"] for b in plan.plan["breaches"]} == {"closure:works"}
    assert len(plan.plan["needs_attention"]) == 2
    fresh = await desk.api.get(plan.url, headers={"if-none-match": tag})
    assert (fresh.status_code, fresh.headers["etag"]) == (200, f'{tag[:-1]}.2"')
    await work(desk)
    await read(plan)
    assert (plan.plan["breaches"], plan.plan["needs_attention"]) == ([], [])
    done = await good(desk.api.get(f"/v1/batches/{batch['id']}"))
    assert (done["status"], done["done"], done["counts"]) == ("done", 1, {"changed": 1})
    assert done["finished_at"] is not None


async def test_every_move_is_explained_per_plan(desk: Desk) -> None:
    plans = await plans_of(desk, 3)
    before = [plan.days for plan in plans]
    batch = (await close(desk)).json()["batch"]

    await work(desk)

    found = await results(desk, batch)
    assert found.keys() == {plan.plan["id"] for plan in plans}
    for plan, was in zip(plans, before, strict=True):
        item = found[plan.plan["id"]]
        await read(plan)
        assert (item["status"], item["result"]["revision"]) == ("changed", 2)
        assert moved(item["result"])["followup_2w"] == ("2027-03-24", "2027-03-23")
        assert {
            name: (was[name], day) for name, day in plan.days.items() if day != was[name]
        } == moved(item["result"])
        for move in item["result"]["moves"]:
            assert move["reasons"]
            assert not "2027-03-24" <= (move["to"] or "") <= "2027-03-26"
        last = (await plan.history())[-1]
        assert (last["actor"], last["reason"], last["changes"]) == ("worker", "Works", [])


async def test_what_cannot_be_is_flagged_and_left_to_a_person(desk: Desk) -> None:
    movable, pinned = await plans_of(desk, 2)
    await pinned.change({"type": "pin", "step": "followup_2w", "to": "2027-03-24"})
    before = pinned.days
    batch = (await close(desk)).json()["batch"]

    await work(desk)

    item = (await results(desk, batch, status="conflict"))[pinned.plan["id"]]
    named = {element["id"] for element in item["result"]["conflict"]["elements"]}
    assert named == {"pin:followup_2w", "closure:works"}
    await read(pinned)
    assert pinned.days == before
    assert {b["id"] for b in pinned.plan["breaches"]} == {
        "closure:works:followup_2w",
        "closure:works:rehab_visits/1",
    }
    assert {a["code"] for a in pinned.plan["needs_attention"]} == {"breach"}
    assert (await read(movable)).plan["breaches"] == []
    counts = (await good(desk.api.get(f"/v1/batches/{batch['id']}")))["counts"]
    assert counts == {"changed": 1, "conflict": 1}
    await pinned.takes_a_way_out(item["result"]["options"])
    assert (await pinned.history())[-1]["reason"] == "Works"


async def test_opening_again_clears_what_was_flagged_and_moves_nothing_back(desk: Desk) -> None:
    movable, pinned = await plans_of(desk, 2)
    await pinned.change({"type": "pin", "step": "followup_2w", "to": "2027-03-24"})
    closure = (await close(desk)).json()
    await work(desk)
    before = (await read(movable)).days

    answer = await desk.api.delete(f"/v1/closures/{closure['id']}")
    await work(desk)

    assert answer.status_code == 202
    batch = await good(desk.api.get(f"/v1/batches/{answer.json()['id']}"))
    assert (batch["status"], batch["total"]) == ("done", 1)
    await read(pinned)
    assert (pinned.plan["breaches"], pinned.plan["needs_attention"]) == ([], [])
    assert (await read(movable)).days == before


async def test_facts_stay_when_their_day_is_closed_afterwards(desk: Desk) -> None:
    (plan,) = await plans_of(desk, 1)
    await plan.on("2027-03-25")
    await plan.change(*did(consult="2027-01-13", pre_check="2027-03-05", session="2027-03-10"))
    await plan.change(*did(baseline_outcomes="2027-02-24", followup_2w="2027-03-24"))
    batch = (await close(desk)).json()["batch"]

    await work(desk)

    await read(plan)
    assert (plan.steps["followup_2w"]["status"], plan.days["followup_2w"]) == (
        "performed",
        "2027-03-24",
    )
    assert plan.days["rehab_visits/1"] == "2027-03-30"
    assert (await results(desk, batch))[plan.plan["id"]]["status"] == "changed"


async def test_plans_of_other_places_and_ended_ones_are_left_alone(desk: Desk) -> None:
    (ended,) = await plans_of(desk, 1)
    await ended.change({"type": "revoke"})
    (elsewhere,) = await plans_of(desk, 1, location_id=await desk.location())
    before = [ended.plan, elsewhere.plan]

    answer = await close(desk)
    await work(desk)

    assert answer.json()["batch"] is None
    assert [(await read(plan)).plan for plan in (ended, elsewhere)] == before


async def test_a_batch_can_be_stopped(desk: Desk) -> None:
    plans = await plans_of(desk, 3)
    batch = (await close(desk)).json()["batch"]
    worker = Worker(desk.app.state.database, turn_seconds=0, lanes=1)
    await worker.work()

    stopped = await good(desk.api.delete(f"/v1/batches/{batch['id']}"))
    await work(desk)

    assert (stopped["status"], stopped["counts"]) == ("cancelled", {"cancelled": 2, "changed": 1})
    assert stopped["finished_at"] is not None
    left = [plan for plan in plans if (await read(plan)).plan["revision"] == 1]
    assert len(left) == 2
    assert all(plan.plan["needs_attention"] for plan in left)
    again = await good(desk.api.delete(f"/v1/batches/{batch['id']}"))
    assert again == stopped


async def test_a_batchs_plans_are_paged_and_filtered(desk: Desk) -> None:
    plans = await plans_of(desk, 3)
    batch = (await close(desk)).json()["batch"]
    url = f"/v1/batches/{batch['id']}/items"

    waiting = await results(desk, batch, status="waiting")
    first = await good(desk.api.get(f"{url}?limit=2"))
    second = await good(desk.api.get(f"{url}?limit=2&cursor={first['next']}"))

    assert waiting.keys() == {plan.plan["id"] for plan in plans}
    shown = [item["plan_id"] for page in (first, second) for item in page["items"]]
    assert (sorted(shown), second["next"]) == (sorted(waiting), None)
    assert await results(desk, batch, status="failed") == {}
    await good(desk.api.delete(f"/v1/batches/{batch['id']}"))


@pytest.mark.parametrize("method, part", [("GET", ""), ("GET", "/items"), ("DELETE", "")])
async def test_an_unknown_batch_does_not_exist(desk: Desk, method: str, part: str) -> None:
    answer = await desk.api.request(method, f"/v1/batches/{NOBODY}{part}")

    assert (answer.status_code, answer.json()["type"]) == (404, "batch-not-found")


async def test_a_closure_posted_again_with_its_key_is_made_once(desk: Desk) -> None:
    await plans_of(desk, 1)
    body = {"location_id": desk.location_id, **WORKS}
    headers = {"idempotency-key": f"close-{desk.location_id}"}

    first = await desk.api.post("/v1/closures", json=body, headers=headers)
    again = await desk.api.post("/v1/closures", json=body, headers=headers)

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.content == first.content
    assert (await close(desk)).json()["type"] == "closure-exists"
    await work(desk)


COURSE: Data = {
    "format": 1,
    "key": "batched",
    "title": "A course",
    "anchor": "session",
    "steps": [
        {"key": "session", "kind": "procedure", "title": "Session"},
        {
            "key": "check",
            "kind": "visit",
            "title": "Check",
            "timings": [{"relative_to": {"step": "session"}, "target": "P7D", "latest": "P9D"}],
        },
    ],
}
LATER: Data = {
    **COURSE,
    "steps": [
        COURSE["steps"][0],
        {
            **COURSE["steps"][1],
            "timings": [{"relative_to": {"step": "session"}, "earliest": "P20D", "target": "P21D"}],
        },
        {
            "key": "call",
            "kind": "call",
            "title": "Call",
            "timings": [{"relative_to": {"step": "session"}, "target": "P2D"}],
        },
    ],
}


async def amendable(desk: Desk) -> tuple[Data, list[Living], Living]:
    """The body of an amendment, two plans that follow it and one that cannot."""
    key = f"batched-{desk.patient_id[-8:]}"
    await store_protocol(desk.app, {**COURSE, "key": key})
    fields: Data = {"protocol": {"key": key}, "parameters": ..., "laterality": ...}
    plans = await plans_of(desk, 2, **fields)
    (pinned,) = await plans_of(desk, 1, **fields)
    await pinned.change({"type": "pin", "step": "check", "to": "2027-03-17"})
    async with desk.app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        versions = ProtocolRepository(connection, desk.app.state.clinic_id)
        await versions.retire(key, "1.0.0", now=datetime(2027, 1, 1, tzinfo=UTC))
    await store_protocol(desk.app, {**LATER, "key": key}, version="2.0.0")
    return {"protocol": key, "from": "1.0.0", "to": "2.0.0"}, plans, pinned


async def test_many_plans_go_on_by_a_new_version(desk: Desk) -> None:
    body, plans, pinned = await amendable(desk)

    answer = await desk.api.post("/v1/plans/amendments", json=body)
    await work(desk)

    batch = answer.json()
    assert (answer.status_code, batch["kind"], batch["total"]) == (202, "amendment", 3)
    assert answer.headers["location"] == f"/v1/batches/{batch['id']}"
    found = await results(desk, batch)
    for plan in plans:
        item = found[plan.plan["id"]]
        assert (item["status"], item["result"]["added"]) == ("changed", ["call"])
        assert moved(item["result"]) == {"check": ("2027-03-17", "2027-03-31")}
        assert (await read(plan)).plan["protocol"]["version"] == "2.0.0"
    refused = found[pinned.plan["id"]]
    assert refused["status"] == "conflict"
    assert (await read(pinned)).plan["protocol"]["version"] == "1.0.0"
    await pinned.takes_a_way_out(refused["result"]["options"])
    assert pinned.plan["protocol"]["version"] == "2.0.0"


async def test_a_plan_that_was_amended_meanwhile_is_as_it_should_be(desk: Desk) -> None:
    body, plans, _ = await amendable(desk)
    first = await good(desk.api.post("/v1/plans/amendments", json=body))
    second = await good(desk.api.post("/v1/plans/amendments", json=body))

    await work(desk)

    for batch, status in ((first, "changed"), (second, "unchanged")):
        found = await results(desk, batch)
        assert {found[plan.plan["id"]]["status"] for plan in plans} == {status}


async def test_what_a_new_version_would_do_is_previewed_and_changes_nothing(desk: Desk) -> None:
    body, plans, pinned = await amendable(desk)
    before = [plan.plan for plan in (*plans, pinned)]

    answer = await desk.api.post("/v1/plans/amendments/preview", json=body)
    await work(desk)

    batch = answer.json()
    assert (answer.status_code, batch["total"], batch["request"]["tried"]) == (202, 3, True)
    assert [(await read(plan)).plan for plan in (*plans, pinned)] == before
    tried = await results(desk, batch)
    again = await desk.api.post("/v1/plans/amendments", json=body)
    await work(desk)
    done = await results(desk, again.json())
    assert {id_: (item["status"], item["result"]) for id_, item in tried.items()} == {
        id_: (item["status"], item["result"]) for id_, item in done.items()
    }


async def test_an_amendment_of_one_location_leaves_the_others_alone(desk: Desk) -> None:
    body, plans, pinned = await amendable(desk)

    asked = {**body, "location_id": await desk.location()}

    answer = await good(desk.api.post("/v1/plans/amendments", json=asked))

    assert (answer["total"], answer["status"]) == (0, "done")
    assert {name: answer["request"][name] for name in asked} == asked
    assert {(await read(p)).plan["protocol"]["version"] for p in (*plans, pinned)} == {"1.0.0"}


@pytest.mark.parametrize(
    "body, status, type_",
    [
        ({"protocol": "series", "from": "1.0.0", "to": "1.0.0"}, 422, "invalid-amendment"),
        (
            {"protocol": ANKLE, "from": "0.9.0", "to": "1.0.0", "location_id": NOBODY},
            404,
            "location-not-found",
        ),
        ({"protocol": "nothing", "from": "1.0.0", "to": "2.0.0"}, 404, "protocol-not-found"),
        ({"protocol": "series", "from": "1.0.0", "to": "9.0.0"}, 404, "version-not-found"),
        ({"protocol": ANKLE, "from": "1.0.0", "to": "0.9.0"}, 409, "version-not-active"),
        ({"protocol": "series", "from": "1.0.0"}, 422, "invalid-request"),
    ],
)
async def test_an_amendment_names_versions_there_are(
    desk: Desk, body: Data, status: int, type_: str
) -> None:
    for part in ("", "/preview"):
        answer = await desk.api.post(f"/v1/plans/amendments{part}", json=body)

        assert (answer.status_code, answer.json()["type"]) == (status, type_)
