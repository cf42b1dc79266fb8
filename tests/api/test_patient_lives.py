"""Two patients found to be one, a person forgotten, and what a patient must not do when."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.persistence.clinics import DEFAULT_CLINIC_ID
from tests.api.given_changes import Living, did, hours, living
from tests.api.given_plans import NOBODY, Data, Desk, faults_of, good
from tests.client import Answer

BORN = "1961-07-13"
TABLES = (
    "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    "SELECT name FROM sqlite_master WHERE type = 'table'",
)


def secret(desk: Desk) -> str:
    """Stands for everything that tells who the desk's patient is."""
    return f"canary-{desk.mrn['value'].lower()}-sings"


async def a_patient(desk: Desk, name: str = "other", **headers: str) -> str:
    """The id of one more patient."""
    body = {
        "identifiers": [{"system": "urn:example:mrn", "value": f"{secret(desk)}-{name}-{uuid4()}"}],
        "name": f"{secret(desk)} {name}",
        "birth_date": BORN,
    }
    return str((await good(desk.api.post("/v1/patients", json=body, headers=headers)))["id"])


async def merge(desk: Desk, patient: str, into: str, **headers: str) -> Answer:
    """Ask for one patient to become another."""
    url = f"/v1/patients/{patient}/merge"
    return await desk.api.post(url, json={"into": into}, headers=headers)


async def erase(desk: Desk, patient: str) -> Data:
    """Forget a person."""
    return await good(desk.api.post(f"/v1/patients/{patient}/erase"))


async def read(desk: Desk, patient: str) -> Data:
    """A patient."""
    return await good(desk.api.get(f"/v1/patients/{patient}"))


async def found(desk: Desk, word: str) -> dict[str, int]:
    """In which tables a word is found, in how many rows."""
    async with desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        postgres = connection.dialect.name == "postgresql"
        tables = (await connection.execute(text(TABLES[0 if postgres else 1]))).scalars().all()
        counts = {}
        for table in tables:
            rows = (await connection.execute(text(f"SELECT * FROM {table}"))).all()
            count = sum(word in told(row) for row in rows)
            if count:
                counts[table] = count
        return counts


def told(row: Any) -> str:
    """All that a row says."""
    cells = (cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell for cell in row)
    return " ".join(map(str, cells))


async def a_told_plan(desk: Desk) -> Living:
    """A plan of whose person much is told when it is made, and before."""
    url = f"/v1/patients/{desk.patient_id}"
    posts: list[tuple[str, Data]] = [
        ("/events", {"agent": "nsaid", "on": "2027-01-02", "note": f"{secret(desk)} said"}),
        (
            "/unavailability",
            {"from": "2027-02-10", "to": "2027-02-20", "note": f"{secret(desk)} away"},
        ),
    ]
    for part, body in posts:
        key = {"idempotency-key": f"{part[1:]}-{desk.patient_id}"}
        await good(desk.api.post(url + part, json=body, headers=key))
    body = desk.body(
        note=f"{secret(desk)} note",
        condition=f"{secret(desk)} ankle",
        identifiers=[{"system": "urn:example:plan", "value": f"{secret(desk)}-{uuid4()}"}],
        changes=[
            {
                "type": "waive",
                "element": "timing:primer/1.latest",
                "days": 3,
                "reason": f"{secret(desk)} asks",
            }
        ],
    )
    answer = await desk.post(body, {"idempotency-key": f"plan-{desk.patient_id}"})
    return Living(desk, answer.json())


async def a_life(desk: Desk) -> Living:
    """A plan in whose every corner something tells who the person is."""
    plan = await a_told_plan(desk)
    visit = {"kind": "visit", "timing": {"relative_to": {"step": "session"}, "target": "P5D"}}
    await plan.on("2027-02-02")
    await plan.change(
        {"type": "perform", "step": "consult", "on": "2027-01-13", "note": f"{secret(desk)} limps"},
        {"type": "add_step", "title": f"Talk with {secret(desk)}", **visit},
        {"type": "book", "step": "primer/1", **hours("2027-02-24", identifier=f"{secret(desk)}-1")},
        reason=f"{secret(desk)} called",
    )
    await plan.on("2027-04-14")
    await plan.change(
        *did(primer__2="2027-02-02", primer__1="2027-02-24", session="2027-03-10"),
        {
            "type": "decide",
            "step": "booster_decision",
            "choice": "booster_eight_weeks",
            "answers": {"stability": f"{secret(desk)} is steady"},
        },
    )
    return plan


async def test_of_an_erased_person_nothing_is_left_in_any_table(desk: Desk) -> None:
    earlier = await a_patient(desk, "first", **{"idempotency-key": str(uuid4())})
    other = await a_patient(desk, "second", **{"idempotency-key": str(uuid4())})
    assert (await merge(desk, earlier, other)).status_code == 200
    plan = await a_life(desk)
    key = {"idempotency-key": str(uuid4())}
    assert (await merge(desk, other, desk.patient_id, **key)).status_code == 200
    rows = await desk.rows()
    assert {"patients", "plans", "plan_revisions", "idempotency_keys"} <= (
        await found(desk, secret(desk))
    ).keys()

    await erase(desk, desk.patient_id)

    assert await found(desk, secret(desk)) == {}
    gone = [await read(desk, patient) for patient in (earlier, other, desk.patient_id)]
    assert [(one["name"], one["birth_date"], one["identifiers"]) for one in gone] == [
        (None, None, [])
    ] * 3
    kept = await desk.rows()
    assert {name: kept[name] for name in ("plans", "planned_steps")} == {
        name: rows[name] for name in ("plans", "planned_steps")
    }
    assert [r["revision"] for r in await plan.history()] == [1, 2, 3, 4]


@pytest.mark.parametrize("what", ["merge", "erase"])
async def test_whoever_holds_a_copy_of_a_plan_learns_that_its_patient_is_no_more(
    desk: Desk, what: str
) -> None:
    plan = await a_life(desk)
    revision, other = plan.plan["revision"], await a_patient(desk)
    read: dict[str, str] = {
        plan.url: "",
        f"{plan.url}/history/{revision}": "",
        f"{plan.url}/history/1": "",
        f"{plan.url}/timeline": "",
        f"/fhir/R4/CarePlan/{plan.plan['id']}": "",
    }
    for path in read:
        read[path] = (await desk.api.get(path)).headers["etag"]

    if what == "erase":
        await erase(desk, desk.patient_id)
    else:
        assert (await merge(desk, desk.patient_id, other)).status_code == 200

    for path, tag in read.items():
        again = await desk.api.get(path, headers={"if-none-match": tag})
        assert (again.status_code, path) == (200, path)
        assert again.headers["etag"] != tag
    last = (await plan.history())[-1]
    reasons = {"erase": "the patient was erased", "merge": "the patient was found to be another"}
    assert (last["revision"], last["reason"]) == (revision + 1, reasons[what])
    assert (last["changes"], last["moves"]) == ([], [])


async def test_an_erased_persons_plan_keeps_its_days_in_every_revision(desk: Desk) -> None:
    plan = await a_life(desk)
    numbers = range(1, plan.plan["revision"] + 1)
    before = [await good(desk.api.get(f"{plan.url}/history/{number}")) for number in numbers]

    await erase(desk, desk.patient_id)

    after = [await good(desk.api.get(f"{plan.url}/history/{number}")) for number in numbers]
    for was, is_now in zip(before, after, strict=True):
        assert is_now.pop("note") is None
        assert is_now.pop("condition") is None
        assert is_now.pop("identifiers") == []
        for step in (*was["steps"], *is_now["steps"]):
            if step["appointment"]:
                del step["appointment"]["identifier"]
            if step["key"].startswith("added_"):
                step["title"] = "visit"
        assert {name: was[name] for name in is_now} == is_now


async def test_an_erased_persons_plan_can_still_be_changed_and_put_right(desk: Desk) -> None:
    plan = await a_life(desk)
    last = await plan.last_change()
    await erase(desk, desk.patient_id)
    await plan.on("2027-04-14")

    await plan.change({"type": "correct", "change_id": last})

    assert plan.steps["booster"]["tentative"]
    assert await found(desk, secret(desk)) == {}


async def test_erasing_again_changes_nothing(desk: Desk) -> None:
    first = await erase(desk, desk.patient_id)

    again = await erase(desk, desk.patient_id)

    assert again == first
    assert (again["name"], again["birth_date"], again["identifiers"]) == (None, None, [])
    assert again["erased_at"] == again["updated_at"]


async def test_a_merged_patient_gives_all_it_has(desk: Desk) -> None:
    plan = await living(desk)
    event = await desk.report(agent="nsaid", on="2027-01-02")
    into = await a_patient(desk)

    answer = await good(merge(desk, desk.patient_id, into))

    assert desk.mrn in answer["patient"]["identifiers"]
    assert [looked_at["plan_id"] for looked_at in answer["plans"]] == [plan.plan["id"]]
    assert (await good(desk.api.get(plan.url)))["patient_id"] == into
    events = await good(desk.api.get(f"/v1/patients/{into}/events"))
    assert [item["id"] for item in events["items"]] == [event["id"]]
    sign = await read(desk, desk.patient_id)
    assert (sign["merged_into"], sign["identifiers"]) == (into, [])


async def test_rules_over_all_plans_are_looked_at_when_patients_are_merged(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-01-20")
    into = await a_patient(desk)
    steroid = {"agent": "corticosteroid_injection", "on": "2027-01-20", "body_site": "ankle"}
    await good(desk.api.post(f"/v1/patients/{into}/events", json=steroid))

    answer = await good(merge(desk, desk.patient_id, into))

    (looked_at,) = answer["plans"]
    assert [breach["rule"] for breach in looked_at["breaches"]] == ["steroid-before-session"]
    assert (await good(desk.api.get(plan.url)))["breaches"] == looked_at["breaches"]


async def test_a_signpost_points_at_who_lives_on(desk: Desk) -> None:
    second, third = await a_patient(desk), await a_patient(desk)
    await good(merge(desk, desk.patient_id, second))

    await good(merge(desk, second, third))

    assert (await read(desk, desk.patient_id))["merged_into"] == third
    assert (await read(desk, second))["merged_into"] == third


@pytest.mark.parametrize("who", ["itself", "one that was merged", "one that was erased"])
async def test_some_patients_cannot_be_merged(desk: Desk, who: str) -> None:
    other = await a_patient(desk)
    if who == "one that was merged":
        # ... nor round in a circle.
        await good(merge(desk, desk.patient_id, other))
    if who == "one that was erased":
        await erase(desk, other)
    into = desk.patient_id if who == "itself" else other
    before = [await read(desk, patient) for patient in (desk.patient_id, other)]

    answers = [await merge(desk, desk.patient_id, into), await merge(desk, into, desk.patient_id)]

    assert [(a.status_code, a.json()["type"]) for a in answers] == [
        (422, "patient-not-mergeable"),
        (422, "patient-not-mergeable"),
    ]
    pointers = [[fault["pointer"] for fault in answer.json()["errors"]] for answer in answers]
    assert (
        pointers
        == {
            "itself": [["/into"], ["/into"]],
            "one that was merged": [[""], ["/into"]],
            "one that was erased": [["/into"], [""]],
        }[who]
    )
    assert [await read(desk, patient) for patient in (desk.patient_id, other)] == before


async def test_who_is_not_there_cannot_be_merged(desk: Desk) -> None:
    answers = [
        await merge(desk, NOBODY, desk.patient_id),
        await merge(desk, desk.patient_id, NOBODY),
    ]

    assert [(a.status_code, a.json()["type"]) for a in answers] == [(404, "patient-not-found")] * 2


@pytest.mark.parametrize("gone", ["merged", "erased"])
async def test_a_patient_who_is_gone_gets_nothing_new(desk: Desk, gone: str) -> None:
    url = f"/v1/patients/{desk.patient_id}"
    if gone == "merged":
        await good(merge(desk, desk.patient_id, await a_patient(desk)))
    else:
        await erase(desk, desk.patient_id)
    tag = (await desk.api.get(url)).headers["etag"]

    answers = [
        await desk.api.post(f"{url}/events", json={"agent": "nsaid", "on": "2027-01-02"}),
        await desk.api.post(
            f"{url}/unavailability", json={"from": "2027-02-10", "to": "2027-02-20"}
        ),
        await desk.api.patch(url, json={"name": "Back"}, headers={"if-match": tag}),
        await desk.post(),
    ]

    assert [(a.status_code, a.json()["type"]) for a in answers] == [(409, "patient-erased")] * 4
    assert (await good(desk.api.get(f"{url}/events")))["items"] == []


async def test_restrictions_of_all_plans_are_one_bar_where_they_touch(desk: Desk) -> None:
    right = await living(desk)
    left = Living(replace(desk), await desk.plan(laterality="left", anchor={"date": "2027-04-07"}))

    answer = await good(desk.api.get(f"/v1/patients/{desk.patient_id}/restrictions"))

    bar = answer["items"][0]
    assert bar["subject"] == "nsaid"
    assert {span["plan_id"] for span in bar["spans"]} == {right.plan["id"], left.plan["id"]}
    assert bar["from"] == min(span["from"] for span in bar["spans"])
    assert bar["to"] == max(span["to"] for span in bar["spans"])


async def test_a_plan_that_is_over_restricts_nobody(desk: Desk) -> None:
    plan = await living(desk)
    url = f"/v1/patients/{desk.patient_id}/restrictions"
    assert (await good(desk.api.get(url)))["items"]

    await plan.change({"type": "revoke"})

    assert (await good(desk.api.get(url)))["items"] == []


async def test_a_fact_of_a_patient_cannot_lie_after_today(own_desk: Desk) -> None:
    url = f"/v1/patients/{own_desk.patient_id}/events"
    tomorrow, today = "2027-01-05", "2027-01-04"

    late = await own_desk.api.post(url, json={"agent": "nsaid", "on": tomorrow})
    open_ = await own_desk.api.post(
        url, json={"finding": "fever", "on": today, "cleared_on": tomorrow}
    )

    assert (late.status_code, late.json()["type"]) == (422, "invalid-report")
    assert faults_of(late.json()) == {"/on": "after-today"}
    assert faults_of(open_.json()) == {"/cleared_on": "after-today"}
    assert (await own_desk.api.post(url, json={"agent": "nsaid", "on": today})).status_code == 201


async def test_today_is_that_of_the_location_where_it_is_latest(own_desk: Desk) -> None:
    url = f"/v1/patients/{own_desk.patient_id}/events"
    body = {"agent": "nsaid", "on": "2027-01-05"}
    assert (await own_desk.api.post(url, json=body)).status_code == 422

    await own_desk.location(time_zone="Pacific/Auckland")

    assert (await own_desk.api.post(url, json=body)).status_code == 201
