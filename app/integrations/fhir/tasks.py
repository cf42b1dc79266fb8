"""What waits for a person, as FHIR has it: https://hl7.org/fhir/R4/task.html"""

import hashlib
from collections.abc import Iterator

from app.integrations.fhir.care_plans import plan_meta, title_of
from app.integrations.fhir.elements import Data, instant, own_code, own_extension, without_empty
from app.persistence.plans.records import PlanView, StepView

DECISION = "decision"
_UNDONE = frozenset({"proposed", "planned", "booked", "missed"})
_LIVING = frozenset({"draft", "active", "on_hold"})


def tasks(view: PlanView) -> Iterator[Data]:
    """The decisions to be taken and what else a person must look at; none where a plan is over."""
    if view.status not in _LIVING:
        return
    for step in view.steps:
        if step.kind == DECISION and step.status in _UNDONE:
            yield _decision(view, step)
    for item in view.attention:
        yield _review(view, item)


def plan_of(task_id: str) -> str:
    """The plan that a task belongs to, told from its id."""
    return task_id.partition(".")[0]


def _decision(view: PlanView, step: StepView) -> Data:
    due = {} if step.day is None else {"period": {"end": step.window_latest or step.day}}
    waiting = _waiting(view, DECISION, step.id, title_of(step))
    focus = {"reference": f"ServiceRequest/{step.id}"}
    return without_empty({**waiting, "focus": focus, "restriction": due})


def _review(view: PlanView, item: Data) -> Data:
    about = item.get("breach") or item.get("step_id") or ""
    waiting = _waiting(view, item["code"], f"{about}/{item['text']}", item["text"])
    step_id = item.get("step_id")
    focus = f"CarePlan/{view.id}" if step_id is None else f"ServiceRequest/{step_id}"
    named = [own_extension("breach", valueString=item["breach"])] if "breach" in item else []
    return without_empty({**waiting, "extension": named, "focus": {"reference": focus}})


def _waiting(view: PlanView, code: str, about: str, text: str) -> Data:
    digest = hashlib.sha256(f"{code}:{about}".encode()).hexdigest()[:16]
    return {
        "resourceType": "Task",
        "id": f"{view.id}.{digest}",
        "meta": plan_meta(view),
        "basedOn": [{"reference": f"CarePlan/{view.id}"}],
        "status": "requested",
        "intent": "order",
        "code": own_code("task", code),
        "description": text,
        "for": {"reference": f"Patient/{view.patient_id}"},
        "authoredOn": instant(view.updated_at),
        "lastModified": instant(view.updated_at),
    }
