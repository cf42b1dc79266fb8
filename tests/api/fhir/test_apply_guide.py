"""The guide's page about ``$apply`` is executed: each request in it, and what it is answered."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.api import docs
from tests.api.given_plans import Desk
from tests.client import Answer

PAGE = (Path(docs.__file__).with_name("guide") / "fhir-apply.md").read_text("utf-8")
FENCED = re.compile(
    r"^```json\n(.*?)^```\n(?:(?!```).)*?^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
EXAMPLES = FENCED.findall(PAGE)


def _day_of(request: dict[str, Any]) -> str:
    (step,) = request["code"]["coding"]
    (day,) = [one["valueDate"] for one in request["extension"] if "planned-date" in one["url"]]
    period = request.get("occurrencePeriod", {})
    window = f" ({period['start']} to {period['end']})" if "end" in period else ""
    return f"{day} {step['code']} {day}{window}"


def shown(answer: Answer) -> str:
    """The answer as the page shows it: days in their order, or what was refused."""
    said = answer.json()
    if answer.status_code == 409:
        return f"409 {said['issue'][0]['code']}\n"
    if answer.status_code == 422:
        issues = sorted((one["code"], *one["expression"]) for one in said["issue"])
        return "".join(f"422 {code} {place}\n" for code, place in issues)
    assert answer.status_code == 200, answer.text
    parts = [one for one in said["contained"] if one["resourceType"] == "ServiceRequest"]
    return "".join(f"{line.partition(' ')[2]}\n" for line in sorted(map(_day_of, parts)))


def test_every_example_of_the_page_is_executed() -> None:
    assert len(EXAMPLES) == PAGE.count("```json") == PAGE.count("```text")


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_a_request_of_the_page_is_answered_as_shown(own_desk: Desk, number: int) -> None:
    request, expected = EXAMPLES[number]
    named = {"system": "urn:example:mrn", "value": "4711"}
    await own_desk.patient(identifiers=[named], birth_date="1975-06-30")

    answer = await own_desk.api.post("/fhir/R4/PlanDefinition/$apply", json=json.loads(request))

    lines = sorted(expected.splitlines())
    assert sorted(shown(answer).splitlines()) == lines
