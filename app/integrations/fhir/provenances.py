"""Revisions of plans as FHIR has them: https://hl7.org/fhir/R4/provenance.html"""

from app.integrations.fhir.elements import Data, coding, instant, meta, without_empty
from app.persistence.plans.records import RevisionRecord

_OPERATIONS = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_AGENTS = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"


def provenance(plan_id: object, revision: RevisionRecord) -> Data:
    """Who made a revision of a plan, when and why, and why each day moved."""
    number = revision.revision
    moved = [f"ServiceRequest/{move['step_id']}" for move in revision.moves if move["step_id"]]
    said = [] if revision.reason is None else [revision.reason]
    return without_empty(
        {
            "resourceType": "Provenance",
            "id": f"{plan_id}.{number}",
            "meta": meta(1, revision.at),
            "target": [
                {"reference": f"CarePlan/{plan_id}/_history/{number}"},
                *({"reference": reference} for reference in moved),
            ],
            "recorded": instant(revision.at),
            "reason": [{"text": text} for text in (*said, *map(move_text, revision.moves))],
            "activity": coding(_OPERATIONS, "CREATE" if number == 1 else "UPDATE"),
            "agent": [{"type": coding(_AGENTS, "author"), "who": {"display": revision.actor}}],
        }
    )


def move_text(move: Data) -> str:
    """Where a step moved, and why, in one sentence."""
    to = move["to"] or "no day"
    reasons = "; ".join(reason["text"] for reason in move["reasons"])
    return f"{move['step']} moved from {move['from']} to {to}: {reasons}"
