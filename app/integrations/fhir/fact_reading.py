"""Facts that other systems send: https://hl7.org/fhir/R4/procedure.html and encounter.html"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.domain.errors import Fault
from app.domain.plans.step_changes import LONGEST_APPOINTMENT
from app.integrations.fhir.elements import Data

READ = frozenset(
    {
        *("resourceType", "id", "meta", "text", "status", "subject", "basedOn", "note"),
        *("performedDateTime", "performedPeriod", "period", "class", "code", "category", "type"),
    }
)
ENTERED_IN_ERROR = "entered-in-error"
# What clients leave out or write in their own way, and nothing hangs on.
_LOOSE = frozenset({"meta", "text", "note", "status"})
_DONE = {"Procedure": "completed", "Encounter": "finished"}
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def faults_in(resource: Mapping[str, Any]) -> list[Fault]:
    """What cannot be taken of a fact that was sent."""
    type_ = str(resource["resourceType"])
    faults = []
    if resource.get("status") != _DONE[type_]:
        text = f"must be {_DONE[type_]}: nothing else is a fact of a plan"
        faults.append(Fault(f"{type_}.status", "not-allowed", text))
    if len(resource.get("basedOn", ())) != 1:
        faults.append(Fault(f"{type_}.basedOn", "missing", "must be one ServiceRequest"))
    if not _when(resource):
        place = "period" if type_ == "Encounter" else "performed"
        text = "must say the day on which it was done, or the instant at which it ended"
        faults.append(Fault(f"{type_}.{place}", "missing", text))
    return faults


def faults_in_correction(known: Mapping[str, Any], sent: Mapping[str, Any]) -> list[Fault]:
    """What cannot be taken of a fact that is sent again: it is taken back, or stays as it is."""
    type_ = str(known["resourceType"])
    faults = [
        Fault(f"{type_}.{name}", "not-supported", "must stay: only the status is changed")
        for name in sorted(sent.keys() - _LOOSE)
        if sent[name] != known.get(name)
    ]
    if sent.get("status") not in {known["status"], ENTERED_IN_ERROR}:
        text = f"must be {ENTERED_IN_ERROR}, to take it back; what is so is recorded anew"
        faults.append(Fault(f"{type_}.status", "not-allowed", text))
    return faults


def request_id(resource: Mapping[str, Any]) -> str:
    """The id of the request that was carried out; '' where it is no request of ours."""
    *_, type_, id_ = ("", "", *str(resource["basedOn"][0].get("reference", "")).split("/"))
    return id_ if type_ == "ServiceRequest" else ""


def subject_of(resource: Mapping[str, Any]) -> str:
    """The last part of the reference to who was treated."""
    return str(resource.get("subject", {}).get("reference", "")).rpartition("/")[2]


def change_of(resource: Mapping[str, Any], *, booked: bool) -> Data:
    """The native change: the step was performed, as it was ``booked`` or as it is sent."""
    notes = "\n\n".join(one["text"] for one in resource.get("note", ()) if "text" in one)
    change = {"type": "perform", "step_id": request_id(resource), **_when(resource)}
    appointment = {} if booked else _appointment(resource.get("period", {}))
    return {**change, **appointment, "note": notes} if notes else {**change, **appointment}


def _appointment(period: Mapping[str, Any]) -> Data:
    """When an encounter began and ended, where it says the time of both."""
    try:
        start, end = (datetime.fromisoformat(period[name]) for name in ("start", "end"))
        if start.tzinfo is None or not start < end <= start + LONGEST_APPOINTMENT:
            return {}
    except (KeyError, ValueError, TypeError):
        return {}
    return {"appointment": {"starts_at": period["start"], "ends_at": period["end"]}}


def _when(resource: Mapping[str, Any]) -> Data:
    """The local day, or the instant at which it ended."""
    period = resource.get("performedPeriod", resource.get("period", {}))
    moment = resource.get("performedDateTime", period.get("end", period.get("start")))
    if moment is None:
        return {}
    if _DAY.fullmatch(str(moment)):
        return {"on": moment}
    return {"at": moment} if "T" in str(moment) else {}
