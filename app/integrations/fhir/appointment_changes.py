"""What an appointment changed elsewhere means for its plan, in the words of native changes.

https://hl7.org/fhir/R4/appointment.html. A status that says what the plan knows already changes
nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from app.domain.calendars import local_date
from app.domain.errors import Fault
from app.integrations.fhir.elements import Data

# What is read of one; of the rest, what contradicts the plan is refused, and nothing else kept.
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
_HELD = frozenset({"booked", *_ARRIVED})
_TIMELESS = frozenset({"proposed", "cancelled"})
SUPPORTED = frozenset({"fulfilled", "noshow"}) | _HELD | _TIMELESS


@dataclass(frozen=True, slots=True)
class Sent:
    """An appointment that was sent, beside the one the plan has."""

    known: Data
    sent: Mapping[str, Any]
    day: str | None
    """The local day that the step has."""
    zone: tzinfo
    """In which instants are local days."""
    is_gone: bool
    """Whether the step was left out or called off."""

    @property
    def step_id(self) -> str:
        """The planned step."""
        return str(self.known["id"])

    @property
    def was(self) -> str:
        """What became of it so far."""
        return str(self.known["status"])

    @property
    def is_as_known(self) -> bool:
        """Whether it has the times, and the name, which the plan knows of."""
        named = [_names(one) for one in (self.sent, self.known)]
        return _times(self.sent) == _times(self.known) and (not named[0] or named[0] == named[1])


def faults_in(it: Sent) -> list[Fault]:
    """What cannot be taken of what was sent."""
    sent, known, status = it.sent, it.known, it.sent.get("status")
    faults = []
    if sent.get("id", known["id"]) != known["id"]:
        faults.append(Fault("Appointment.id", "value", "must be that of the address"))
    if status not in SUPPORTED:
        text = f"must be one of {', '.join(sorted(SUPPORTED))}"
        faults.append(Fault("Appointment.status", "not-allowed", text))
    if ("start" in sent) != ("end" in sent):
        faults.append(Fault("Appointment.end", "missing", "start and end come together"))
    if status in SUPPORTED - _TIMELESS and "start" not in sent:
        text = "is required unless it is proposed or cancelled"
        faults.append(Fault("Appointment.start", "missing", text))
    if status == "cancelled" and it.was in {"proposed", "noshow"}:
        text = "nothing is booked; a step is called off by its ServiceRequest: status revoked"
        faults.append(Fault("Appointment.status", "business-rule", text))
    return [*faults, *_of_another(it)]


def changes_of(it: Sent) -> list[Data]:
    """The changes that make of the plan's appointment the one that was sent."""
    status = str(it.sent["status"])
    if status == it.was != "proposed" and (status == "cancelled" or it.is_as_known):
        return []
    restored = [{"type": "restore", "step_id": it.step_id}] if it.is_gone else []
    return [*restored, *_BY_STATUS[status](it)]


def said_beside(it: Sent) -> list[str]:
    """What was sent and is not kept, in words."""
    known = READ - {"start", "end"} if it.sent["status"] == "proposed" else READ
    return [f"'{name}' is not kept" for name in sorted(it.sent.keys() - known)]


def _of_another(it: Sent) -> list[Fault]:
    """An appointment stays that of its step and patient."""
    faults = []
    for name in ("basedOn", "participant"):
        given = _named(it.sent.get(name, ()))
        known = _named(it.known[name])
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


def _proposed(it: Sent) -> list[Data]:
    """Not booked any more, and wanted on another day where one is asked for."""
    wanted = _wanted_day(it)
    made: list[Data] = []
    if it.was != "proposed" and not it.is_gone:
        made.append({"type": "unbook", "step_id": it.step_id})
    if wanted and wanted != it.day:
        made.append({"type": "move", "step_id": it.step_id, "to": wanted})
    return made


def _wanted_day(it: Sent) -> str | None:
    """The local day that is asked for, as it is sent where it is no instant; None where none is."""
    periods = it.sent.get("requestedPeriod", ())
    start: str | None = periods[0].get("start") if periods else None
    try:
        moment = datetime.fromisoformat(start or "")
        return start if moment.tzinfo is None else local_date(moment, it.zone).isoformat()
    except (ValueError, OverflowError):
        return start


def _booked(it: Sent) -> list[Data]:
    return [{"type": "book", "step_id": it.step_id, **_times_of(it)}]


def _arrived(it: Sent) -> list[Data]:
    """Booked, if it was not at these times, and the patient is there."""
    is_booked = it.was in _HELD and it.is_as_known
    checked_in = it.sent["status"] == "checked-in"
    arrived = {"type": "arrive", "step_id": it.step_id, "checked_in": checked_in}
    return [arrived] if is_booked else [*_booked(it), arrived]


def _fulfilled(it: Sent) -> list[Data]:
    """Done when it ended."""
    done = {"type": "perform", "step_id": it.step_id, "at": it.sent["end"]}
    return [{**done, **_unknown(it)}]


def _missed(it: Sent) -> list[Data]:
    """Nobody came."""
    return [{"type": "miss", "step_id": it.step_id, **_unknown(it)}]


def _cancelled(it: Sent) -> list[Data]:
    """It is off; the step is planned on, for another one."""
    return [{"type": "unbook", "step_id": it.step_id, "cancelled": True}]


def _unknown(it: Sent) -> Data:
    """Its times where the plan has no such booking."""
    is_booked = it.was in _HELD and it.is_as_known
    return {} if is_booked else {"appointment": _times_of(it)}


def _times_of(it: Sent) -> Data:
    named = _names(it.sent) or _names(it.known)
    identified = {"identifier": named[0]} if named else {}
    return {"starts_at": it.sent["start"], "ends_at": it.sent["end"], **identified}


def _names(appointment: Mapping[str, Any]) -> list[str]:
    return [one["value"] for one in appointment.get("identifier", ()) if "value" in one]


def _times(appointment: Mapping[str, Any]) -> list[datetime | str | None]:
    """Start and end, whatever clock they are told in."""
    return [_instant(appointment.get(name)) for name in ("start", "end")]


def _instant(text: str | None) -> datetime | str | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return text


_BY_STATUS: Mapping[str, Callable[[Sent], list[Data]]] = {
    "proposed": _proposed,
    "booked": _booked,
    "arrived": _arrived,
    "checked-in": _arrived,
    "fulfilled": _fulfilled,
    "noshow": _missed,
    "cancelled": _cancelled,
}
