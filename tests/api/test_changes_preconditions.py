"""A change says what it looked at, is made once for its key, and asks for something."""

from typing import Any
from uuid import uuid4

import pytest

from tests.api.given_changes import living
from tests.api.given_plans import NOBODY, Desk, good, steps_of


async def test_a_change_says_which_revision_it_looked_at(desk: Desk) -> None:
    plan = await living(desk)
    change = {"changes": [{"type": "skip", "step": "booster"}]}
    url = f"{plan.url}/changes"
    before = await plan.stored()

    missing = await desk.api.post(url, json=change)
    malformed = await desk.api.post(url, json=change, headers={"if-match": "1"})
    stale = await desk.api.post(url, json=change, headers={"if-match": '"7"'})

    assert [a.status_code for a in (missing, malformed, stale)] == [428, 400, 412]
    assert [a.json()["type"] for a in (missing, stale)] == [
        "precondition-required",
        "changed-meanwhile",
    ]
    assert await plan.stored() == before
    tag = (await desk.api.get(plan.url)).headers["etag"]
    first = await desk.api.post(url, json=change, headers={"if-match": tag})
    second = await desk.api.post(url, json=change, headers={"if-match": tag})
    assert (first.status_code, second.status_code) == (200, 412)
    assert first.headers["etag"] == '"2.2027-01-04"'


async def test_a_preview_gives_the_tag_of_what_it_looked_at(desk: Desk) -> None:
    plan = await living(desk)
    body = {"changes": [{"type": "skip", "step": "booster"}]}

    seen = await desk.api.post(f"{plan.url}/changes/preview", json=body)
    await plan.change({"type": "skip", "step": "orthotic_check"})
    late = await desk.api.post(
        f"{plan.url}/changes", json=body, headers={"if-match": seen.headers["etag"]}
    )

    assert (seen.headers["etag"], late.status_code) == ('"1.2027-01-04"', 412)


async def test_a_change_posted_again_with_its_key_is_made_once(desk: Desk) -> None:
    plan = await living(desk)
    headers = {"if-match": '"1"', "idempotency-key": uuid4().hex}
    body = {"changes": [{"type": "skip", "step": "booster"}]}
    other = {"changes": [{"type": "skip", "step": "orthotic_check"}]}
    url = f"{plan.url}/changes"

    first = await desk.api.post(url, json=body, headers=headers)
    again = await desk.api.post(url, json=body, headers=headers)
    another = await desk.api.post(url, json=other, headers=headers)

    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["etag"] == first.headers["etag"]
    assert (another.status_code, another.json()["type"]) == (422, "idempotency-key-reused")
    assert (await good(desk.api.get(plan.url)))["revision"] == 2


async def test_a_refused_change_leaves_its_key_free(desk: Desk) -> None:
    plan = await living(desk)
    headers = {"if-match": '"9"', "idempotency-key": uuid4().hex}
    body = {"changes": [{"type": "skip", "step": "booster"}]}
    url = f"{plan.url}/changes"
    assert (await desk.api.post(url, json=body, headers=headers)).status_code == 412

    answer = await desk.api.post(url, json=body, headers={**headers, "if-match": '"1"'})

    assert answer.status_code == 200


@pytest.mark.parametrize("part", ["changes", "changes/preview", "history", "history/1"])
async def test_a_plan_that_is_not_there_has_nothing_to_change(desk: Desk, part: str) -> None:
    url = f"/v1/plans/{NOBODY}/{part}"
    body = {"changes": [{"type": "activate"}]}

    if part.startswith("history"):
        answer = await desk.api.get(url)
    else:
        answer = await desk.api.post(url, json=body, headers={"if-match": '"1"'})

    assert (answer.status_code, answer.json()["type"]) == (404, "plan-not-found")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"changes": []}, id="none"),
        pytest.param({"changes": [{"type": "hold"}] * 201}, id="too many"),
        pytest.param({"changes": [{"type": "hold"}], "reason": " "}, id="a blank reason"),
        pytest.param({"reason": "because"}, id="a reason alone"),
        pytest.param([{"type": "hold"}], id="a bare list"),
    ],
)
async def test_a_body_that_is_none_is_refused(desk: Desk, body: Any) -> None:
    plan = await living(desk)

    answer = await desk.api.post(f"{plan.url}/changes", json=body, headers={"if-match": '"1"'})

    assert (answer.status_code, answer.json()["type"]) == (422, "invalid-request")
    assert steps_of(await good(desk.api.get(plan.url))) == plan.steps
