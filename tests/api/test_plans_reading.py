"""Stored plans are read as of today: tags, states at local midnight, what does not exist."""

import pytest

from tests.api.given_plans import NOBODY, Data, Desk, good, steps_of


async def read(desk: Desk, plan: Data) -> Data:
    """A stored plan as it is shown now."""
    return await good(desk.api.get(f"/v1/plans/{plan['id']}"))


async def states(desk: Desk, plan: Data, *names: str) -> list[str]:
    """The window states of some steps now."""
    steps = steps_of(await read(desk, plan))
    return [steps[name]["window_state"] for name in names]


async def test_a_plans_tag_is_its_revision_and_the_local_date(desk: Desk) -> None:
    await desk.at("2027-01-05T05:30:00Z")
    answer = await desk.post()

    read_back = await desk.api.get(answer.headers["location"])

    assert answer.headers["etag"] == read_back.headers["etag"] == '"1.2027-01-04"'


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param('"1.2027-01-04"', id="the tag"),
        pytest.param('W/"1.2027-01-04"', id="made weak by a proxy"),
        pytest.param('"7", "1.2027-01-04"', id="one of several"),
        pytest.param("*", id="whatever there is"),
    ],
)
async def test_a_copy_of_today_is_not_sent_again(desk: Desk, sent: str) -> None:
    plan = await desk.plan()

    answer = await desk.api.get(f"/v1/plans/{plan['id']}", headers={"If-None-Match": sent})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == '"1.2027-01-04"'


async def test_tomorrow_the_plan_has_another_tag_because_its_states_may_differ(desk: Desk) -> None:
    plan = await desk.plan()
    await desk.at("2027-01-05T00:00:00-07:00")

    answer = await desk.api.get(
        f"/v1/plans/{plan['id']}", headers={"If-None-Match": '"1.2027-01-04"'}
    )

    assert (answer.status_code, answer.headers["etag"]) == (200, '"1.2027-01-05"')


@pytest.mark.parametrize(
    "now, state",
    [
        pytest.param("2027-02-02T23:59:59-07:00", "upcoming", id="the evening before"),
        pytest.param("2027-02-03T00:00:00-07:00", "due", id="midnight of its earliest day"),
        pytest.param("2027-02-17T12:00:00-07:00", "due", id="its own day"),
        pytest.param("2027-02-24T23:59:59-07:00", "due", id="the last second of its latest day"),
        pytest.param("2027-02-25T00:00:00-07:00", "overdue", id="a second later"),
        pytest.param("2027-02-25T06:59:59Z", "due", id="the next day already in London"),
    ],
)
async def test_a_states_edge_is_midnight_where_the_location_is(
    desk: Desk, now: str, state: str
) -> None:
    plan = await desk.plan()
    await desk.at(now)

    assert await states(desk, plan, "primer/1") == [state]


async def test_without_a_window_a_steps_own_day_is_its_window(desk: Desk) -> None:
    plan = await desk.plan()

    found = []
    for now in ("2027-03-09T20:00:00-07:00", "2027-03-10T20:00:00-07:00", "2027-03-11T00:00-07:00"):
        await desk.at(now)
        found += await states(desk, plan, "session")

    assert found == ["upcoming", "due", "overdue"]


async def test_what_is_done_stays_in_its_window_or_out_of_it(desk: Desk) -> None:
    await desk.at("2027-03-01T09:00:00-07:00")
    done = {
        "consult": "2026-10-01",
        "primer/1": "2027-02-10",
        "baseline_outcomes": "2027-02-24",
        "pre_check": "2027-02-25",
        "session": "2027-02-26",
    }
    plan = await desk.plan(
        parameters={"primer_count": 1, "orthotics": "declined"},
        changes=[{"type": "perform", "step": step, "on": day} for step, day in done.items()],
    )
    await desk.at("2028-01-01T09:00:00-07:00")

    assert await states(desk, plan, "consult", "primer/1", "pre_check") == [
        "early",
        "in_window",
        "late",
    ]


async def test_the_clock_goes_on_but_no_day_does(desk: Desk) -> None:
    plan = await desk.plan()
    await desk.at("2029-01-01T09:00:00-07:00")

    later = await read(desk, plan)

    assert [step["date"] for step in later["steps"]] == [step["date"] for step in plan["steps"]]
    assert later["revision"] == plan["revision"]


@pytest.mark.parametrize(
    "path, type_",
    [
        pytest.param(f"/v1/plans/{NOBODY}", "plan-not-found", id="a plan"),
        pytest.param(
            f"/v1/plans/{NOBODY}/steps/{NOBODY}/days?from=2027-01-01&until=2027-01-31",
            "plan-not-found",
            id="days of a step of no plan",
        ),
        pytest.param(
            f"/v1/plans/{NOBODY}/steps/{NOBODY}/days/2027-01-05",
            "plan-not-found",
            id="a day of a step of no plan",
        ),
    ],
)
async def test_a_plan_that_does_not_exist_is_not_found(desk: Desk, path: str, type_: str) -> None:
    answer = await desk.api.get(path)

    assert (answer.status_code, answer.json()["type"]) == (404, type_)


async def test_a_step_of_another_plan_is_not_found(desk: Desk) -> None:
    plan = await desk.plan()
    other = await desk.plan(patient={"id": await desk.patient()})
    step = steps_of(other)["session"]["id"]

    answers = [
        await desk.api.get(f"/v1/plans/{plan['id']}/steps/{step}/days/2027-03-10"),
        await desk.api.get(
            f"/v1/plans/{plan['id']}/steps/{step}/days",
            params={"from": "2027-03-01", "until": "2027-03-31"},
        ),
    ]

    assert [(a.status_code, a.json()["type"]) for a in answers] == [(404, "step-not-found")] * 2


@pytest.mark.parametrize("plan_id", ["1", "not-an-id", f"{NOBODY}0", "%00"])
async def test_what_is_no_id_is_refused(desk: Desk, plan_id: str) -> None:
    answer = await desk.api.get(f"/v1/plans/{plan_id}")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "plan_id"
