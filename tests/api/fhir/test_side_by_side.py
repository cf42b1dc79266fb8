"""The guide compares two engines: what it shows of ours is real; `.ci/encender` tries the other."""

import json
import re
from pathlib import Path

import pytest

from app.api import docs
from tests.api.fhir.given_apply import anchor, applying
from tests.api.fhir.test_apply_guide import shown
from tests.api.given_plans import Desk

PAGE = Path(docs.__file__).with_name("guide").joinpath("fhir-side-by-side.md").read_text("utf-8")
# A definition, what the other engine makes of it, and what is made of it here.
EXAMPLES = re.findall(
    r"```json\n(.*?)```\n\nencender:\n\n```text\n(.*?)```\n\nRegimen:\n\n```text\n(.*?)```",
    PAGE,
    re.DOTALL,
)


def test_three_definitions_are_compared() -> None:
    assert len(EXAMPLES) == PAGE.count("```json") == 3


@pytest.mark.parametrize("definition, _, ours", EXAMPLES)
async def test_a_definition_is_applied_as_shown(
    own_desk: Desk, definition: str, _: str, ours: str
) -> None:
    asked = applying(own_desk, json.loads(definition), anchor())

    answer = await own_desk.api.post("/fhir/R4/PlanDefinition/$apply", json=asked)

    assert sorted(shown(answer).splitlines()) == sorted(ours.splitlines())
