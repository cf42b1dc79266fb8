"""A plan that the tests of reading share, for they change nothing; and one to be changed."""

import pytest
from fastapi import FastAPI

from tests.api.fhir.given_fhir import R4, SENT, SUBSCRIPTION, living_plan
from tests.api.given_changes import Living
from tests.api.given_plans import Desk, a_desk, good
from tests.client import Client


@pytest.fixture(scope="session")
async def shared_plan(plans_app: FastAPI, plans_api: Client) -> Desk:
    """A desk with a plan in the middle of its life."""
    desk = await a_desk(plans_app, plans_api)
    await living_plan(desk)
    await good(plans_api.post(f"{R4}/Subscription", json=SUBSCRIPTION, headers=SENT))
    return desk


@pytest.fixture
async def shown(shared_plan: Desk) -> Desk:
    """The same, all that was read accounted for."""
    await shared_plan.app.state.account.commit()
    return shared_plan


@pytest.fixture
async def living(desk: Desk) -> Living:
    """A plan with its session on 10 March, two primers before it."""
    return Living(desk, await desk.plan())
