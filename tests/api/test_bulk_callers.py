"""What a caller may not do in a request of its own it may not do in a line either."""

from typing import Any

import pytest

from app.domain.permissions import Role
from tests.api.given_bulk import body_of, post, results_of
from tests.api.given_callers import headers
from tests.api.given_plans import Desk

WAIVER = {"type": "waive", "element": "rule:injection-gap", "reason": "as asked"}
DECISION = {"type": "decide", "step": "booster_decision", "choice": "booster_six_weeks"}


@pytest.mark.parametrize("change", [WAIVER, DECISION], ids=["a waiver", "a decision"])
async def test_a_role_is_needed_in_a_line_as_well(own_desk: Desk, change: dict[str, Any]) -> None:
    front_desk = await headers(own_desk.app, Role.FRONT_DESK)
    asked = own_desk.body(changes=[change])
    alone = await own_desk.api.post("/v1/plans", json=asked, headers=front_desk)

    refused, allowed, _ = results_of(
        await post(own_desk.api, body_of([asked, own_desk.body()]), **front_desk)
    )

    assert alone.status_code == 403
    assert (refused["status"], refused["problem"]) == (403, alone.json())
    assert allowed["status"] == 201
