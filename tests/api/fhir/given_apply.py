"""What ``$apply`` is asked in the tests, and how its answers are read."""

from typing import Any

from fhir.resources.R4B.careplan import CarePlan
from fhir.resources.R4B.operationoutcome import OperationOutcome

from tests.api.given_plans import ANKLE, Desk
from tests.client import Answer
from tests.integrations.fhir.given_plan_definitions import action, plan_definition, relation

Data = dict[str, Any]
ROOT = "/fhir/R4/PlanDefinition"
OURS = f"{ROOT}/{ANKLE}.v1.0.0/$apply"
TWO = plan_definition(action("session"), action("followup", relation("session", "after", 42)))


def anchor(day: str = "2027-03-10", name: str | None = None, type_: str = "valueDate") -> Data:
    """The parameter that gives a day."""
    parts: list[Data] = [{"name": "date", type_: day}]
    if name is not None:
        parts.append({"name": "action", "valueString": name})
    return {"name": "anchor", "part": parts}


def choice(parameter: str, value: str | int) -> Data:
    """The parameter that makes a choice."""
    kind = "valueInteger" if isinstance(value, int) else "valueString"
    parts = [{"name": "parameter", "valueString": parameter}, {"name": "value", kind: value}]
    return {"name": "choice", "part": parts}


def asking(desk: Desk, *parameters: Data, side: str | None = "right", **changed: Any) -> Data:
    """The Parameters for the desk's patient and place."""
    usual: dict[str, Data | None] = {
        "subject": {"name": "subject", "valueString": f"Patient/{desk.patient_id}"},
        "location": {"name": "location", "valueString": f"Location/{desk.location_id}"},
        "laterality": None if side is None else {"name": "laterality", "valueCode": side},
        **changed,
    }
    given = [one for one in usual.values() if one]
    return {"resourceType": "Parameters", "parameter": [*given, *parameters]}


def applying(desk: Desk, definition: Data, *parameters: Data) -> Data:
    """The same for a definition that is sent along."""
    sent = {"name": "planDefinition", "resource": definition}
    return asking(desk, sent, *parameters, side=None)


async def applied(desk: Desk, url: str, body: Data, status: int = 200) -> Data:
    answer = await desk.api.post(url, json=body)
    assert answer.status_code == status, answer.text
    plan: Data = answer.json()
    CarePlan.model_validate(plan)
    return plan


def parts_of(plan: Data, type_: str) -> list[Data]:
    return [one for one in plan["contained"] if one["resourceType"] == type_]


def days_of(plan: Data) -> dict[str, list[str]]:
    """The days of the steps' requests, by the step."""
    found: dict[str, list[str]] = {}
    for request in parts_of(plan, "ServiceRequest"):
        day = next(
            one["valueDate"] for one in request["extension"] if one["url"].endswith("planned-date")
        )
        found.setdefault(request["code"]["coding"][0]["code"], []).append(day)
    return found


def refused(answer: Answer) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.text
    OperationOutcome.model_validate(answer.json())
    issues = answer.json()["issue"]
    return [(one["code"], one.get("expression", [""])[0]) for one in issues]
