"""The guide's page on writing protocols: its documents are stored, approved and planned by."""

import re
from pathlib import Path
from typing import Any

import pytest

from app.api import docs
from app.api.yaml_documents import read_yaml
from tests.api.given_changes import Living
from tests.api.given_plans import Desk, days_of, good
from tests.api.given_protocols import activate
from tests.client import Client

PAGE = Path(docs.__file__).with_name("guide") / "protocols.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
DOCUMENTS: list[dict[str, Any]] = [read_yaml(text.encode()) for text in BLOCKS]
KEYS = [document["key"] for document in DOCUMENTS]


async def approved(api: Client) -> None:
    """The page's documents, approved in their order, with the library's modules."""
    await good(api.post("/v1/protocols/library"))
    for document in DOCUMENTS:
        draft = await good(api.post("/v1/protocols", json=document))
        await good(activate(api, draft))


def test_the_page_shows_what_it_speaks_of() -> None:
    assert KEYS == [
        "heel-prp",
        "heel-prp-with-orthotics",
        "heel-prp-with-outcomes",
        "both-heels",
    ]


async def test_the_guide_leads_to_the_page(api: Client) -> None:
    assert '<a href="/guide/protocols">' in (await api.get("/guide")).text
    assert "<h1>Writing protocols</h1>" in (await api.get("/guide/protocols")).text


async def test_every_document_of_the_page_works_on_every_day(api: Client) -> None:
    await approved(api)

    for document in DOCUMENTS:
        found = await good(api.post("/v1/protocols/check", json=document))
        assert (found["faults"], found["warnings"]) == ([], [])
        assert found["start_days"]["failing"] == 0


async def test_orthotics_are_fitted_before_the_loading_phase(own_desk: Desk) -> None:
    await approved(own_desk.api)

    plan = await own_desk.plan(
        protocol={"key": "heel-prp-with-orthotics"}, parameters=..., laterality=...
    )

    days = days_of(plan)
    assert (days["orthotics_impression"], days["orthotics_fitting"]) == ("2027-02-03", "2027-02-24")
    assert str(days["orthotics_fitting"]) < str(days["heel_loading_phase"])
    assert plan["breaches"] == []


async def test_questionnaires_go_with_the_treatment_they_ask_about(own_desk: Desk) -> None:
    await approved(own_desk.api)
    body = {"protocol": {"key": "heel-prp-with-outcomes"}, "parameters": ..., "laterality": ...}
    plan = Living(own_desk, await own_desk.plan(**body))
    asked = plan.days["outcomes_points/w6"], plan.days["outcomes_points/m24"]

    await plan.change({"type": "move_anchor", "to": "2027-04-07"})

    assert asked == ("2027-04-21", "2029-03-09")
    assert (plan.days["outcomes_points/w6"], plan.days["outcomes_points/m24"]) == (
        "2027-05-19",
        "2029-04-06",
    )


@pytest.mark.parametrize(
    "choice, day, status",
    [
        ("go", "2027-04-07", "planned"),
        ("delay", "2027-04-21", "planned"),
        ("stop", None, "cancelled"),
    ],
)
async def test_one_choice_decides_the_second_side(
    own_desk: Desk, choice: str, day: str | None, status: str
) -> None:
    await approved(own_desk.api)
    plan = Living(
        own_desk,
        await own_desk.plan(protocol={"key": "both-heels"}, parameters=..., laterality="bilateral"),
    )
    await plan.on("2027-03-26")
    await plan.change({"type": "perform", "step": "first_session", "on": "2027-03-10"})

    await plan.change({"type": "decide", "step": "gate", "choice": choice})

    second = plan.steps["second_session"]
    assert (second["date"], second["status"]) == (day, status)
