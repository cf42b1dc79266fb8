"""What a visit that was changed elsewhere means for its plan, in the words of native changes.

https://hl7.org/fhir/R4/appointment.html. A status that says what the plan knows already changes
nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.errors import Fault
from app.integrations.fhir.elements import Data

# What is read of a visit; of the rest, what contradicts the plan is refused, and nothing else kept.
READ = frozenset(
    {
        *(
            "resourceType",
            "id",
            "meta",
            "text",
            "extension",
            "identifier",
            "status",
            "start",
            "end",
        ),
        *("cancelationReason", "serviceType", "description", "minutesDuration", "comment"),
        *("basedOn", "participant", "requestedPeriod"),
    }
)
_ARRIVED = frozenset({"arrived", "checked-in"})
SUPPORTED = frozenset({"proposed", "booked", "fulfilled", "noshow", "cancelled"}) | _ARRIVED


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit as the plan has it, and as it was sent."""

    known: Data
    sent: Mapping[str, Any]
    day: str | None
    """The local day that the step has."""
    is_gone: bool
    """Whether the step was left out or called off."""

    @property
    def step_id(self) -> str:
        """The planned step."""
        return str(self.known["id"])


def faults_in(visit: Visit) -> list[Fault]:
    """What cannot be taken of a visit that was sent."""
    sent, known = visit.sent, visit.known
    faults = []
    if sent.get("id", known["id"]) != known["id"]:
        faults.append(Fault("Appointment.id", "value", "must be that of the address"))
    if sent.get("status") not in SUPPORTED:
        text = f"must be one of {', '.join(sorted(SUPPORTED))}"
        faults.append(Fault("Appointment.status", "not-allowed", text))
    if ("start" in sent) != ("end" in sent):
        faults.append(Fault("Appointment.end", "missing", "start and end come together"))
    if sent.get("status") in {"booked", *_ARRIVED} and "start" not in sent:
        faults.append(Fault("Appointment.start", "missing", "is required of what is booked"))
    return [*faults, *_of_another(visit)]


def changes_of(visit: Visit) -> list[Data]:
    """The changes that make of the plan's visit the one that was sent."""
    restored = [{"type": "restore", "step_id": visit.step_id}] if visit.is_gone else []
    status = str(visit.sent["status"])
    if status == "cancelled":
        return [] if visit.is_gone else [{"type": "cancel", "step_id": visit.step_id}]
    made = _BY_STATUS.get(status, _booked)(visit)
    return [*restored, *made]


def said_beside(visit: Visit) -> list[str]:
    """What was sent and is not kept, in words."""
    said = [f"'{name}' is not kept" for name in sorted(visit.sent.keys() - READ)]
    if visit.sent["status"] in _ARRIVED:
        said.append("that the patient has arrived is not kept: the visit stays booked")
    return said


def _of_another(visit: Visit) -> list[Fault]:
    """A visit stays that of its step and patient."""
    faults = []
    for name in ("basedOn", "participant"):
        given = _named(visit.sent.get(name, ()))
        known = _named(visit.known[name])
        for type_ in ("ServiceRequest", "Patient"):
            theirs = {one for one in given if one.split("/")[-2:][0] == type_}
            ours = {one for one in known if one.startswith(f"{type_}/")}
            if theirs and {"/".join(one.split("/")[-2:]) for one in theirs} != ours:
                text = f"must stay with its {type_}"
                faults.append(Fault(f"Appointment.{name}", "value", text))
    return faults


def _named(listed: Any) -> list[str]:
    found = [one.get("actor", one) for one in listed]
    return [str(one["reference"]) for one in found if "reference" in one]


def _proposed(visit: Visit) -> list[Data]:
    """Not booked any more, and wanted on another day where one is asked for."""
    periods = visit.sent.get("requestedPeriod", ())
    wanted = str(periods[0].get("start", ""))[: len("2027-03-10")] if periods else visit.day
    if visit.known["status"] == "booked":
        made: list[Data] = [{"type": "unbook", "step_id": visit.step_id}]
    else:
        made = []
    if wanted and wanted != visit.day:
        made.append({"type": "move", "step_id": visit.step_id, "to": wanted})
    return made


def _booked(visit: Visit) -> list[Data]:
    """Booked at these times, unless it is so already."""
    sent, known = visit.sent, visit.known
    if known["status"] == "booked" and _times(sent) == _times(known):
        return []
    booking = {"starts_at": sent["start"], "ends_at": sent["end"]}
    named = [one["value"] for one in sent.get("identifier", ()) if "value" in one]
    named += [one["value"] for one in known.get("identifier", ()) if not named]
    identified = {"identifier": named[0]} if named else {}
    return [{"type": "book", "step_id": visit.step_id, **booking, **identified}]


def _fulfilled(visit: Visit) -> list[Data]:
    """Done when it ended; without times, on the day it was planned for."""
    if visit.known["status"] == "fulfilled":
        return []
    ended = visit.sent.get("end", visit.known.get("end"))
    when = {"at": ended} if ended is not None else {"on": visit.day}
    return [{"type": "perform", "step_id": visit.step_id, **when}]


def _missed(visit: Visit) -> list[Data]:
    """Nobody came on the day it was booked or planned for."""
    return [{"type": "miss", "step_id": visit.step_id}]


def _times(appointment: Mapping[str, Any]) -> tuple[Any, ...]:
    named = tuple(one.get("value") for one in appointment.get("identifier", ()))
    return appointment.get("start"), appointment.get("end"), named


_BY_STATUS: Mapping[str, Callable[[Visit], list[Data]]] = {
    "proposed": _proposed,
    "fulfilled": _fulfilled,
    "noshow": _missed,
}
