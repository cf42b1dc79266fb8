"""Plan states and schedules as plain data and back: what is stored is written here."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

from app.domain.calendars import Absence
from app.domain.facts import Anchor, Missed, OccurrenceId, Performed, Pinned, Reported, Skipped
from app.domain.plans.state import Booking, Given, PlanState
from app.domain.schedules import Breach, Move, Reason
from app.domain.states import AppointmentStatus, PlanStatus

Data = dict[str, Any]

FORMAT = 1


def state_to_data(state: PlanState) -> Data:
    """A plan's state as JSON-ready data; what is empty is left out."""
    data: Data = {
        "format": FORMAT,
        "anchor": None if state.anchor is None else anchor_to_data(state.anchor),
        "postponed": state.postponed,
        "plan_start": _text(state.plan_start),
        "not_before": _text(state.not_before),
        "parameters": dict(state.parameters),
        "events": {name: day.isoformat() for name, day in state.events.items()},
        "performed": [_fact(f.occurrence, f.on) for f in state.performed],
        "missed": [_fact(f.occurrence, f.on) for f in state.missed],
        "skipped": [str(f.occurrence) for f in state.skipped],
        "cancelled": [str(f.occurrence) for f in state.cancelled],
        "pinned": [_fact(f.occurrence, f.on) for f in state.pinned],
        "reported": [reported_to_data(report) for report in state.reported],
        "absences": [absence_to_data(absence) for absence in state.absences],
        "waivers": [
            {"element": w.element, "days": w.days, "reason": w.reason} for w in state.waivers
        ],
        "moved": {str(id_): day.isoformat() for id_, day in state.moved.items()},
        "booked": {str(id_): booking_to_data(b) for id_, b in state.booked.items()},
        "ended": {str(id_): booking_to_data(b) for id_, b in state.ended.items()},
        "added": [dict(step) for step in state.added],
        "shifts": dict(state.shifts),
        "decided": dict(state.decided),
        "starts": [list(start) for start in state.starts],
        "acknowledged": list(state.acknowledged),
        "baseline": {str(id_): day.isoformat() for id_, day in state.baseline.items()},
    }
    return {key: value for key, value in data.items() if value not in (None, False, [], {})}


def state_from_data(
    data: Mapping[str, Any],
    status: PlanStatus = PlanStatus.ACTIVE,
    version: str | None = None,
) -> PlanState:
    """A stored state read back; stored data is trusted to be well formed."""
    anchor = data.get("anchor")
    return PlanState(
        status=status,
        version=version,
        anchor=None if anchor is None else anchor_from_data(anchor),
        postponed=data.get("postponed", False),
        plan_start=_day(data.get("plan_start")),
        not_before=_day(data.get("not_before")),
        parameters=MappingProxyType(dict(data.get("parameters", {}))),
        events=_days(data.get("events", {})),
        performed=tuple(Performed(*_read_fact(f)) for f in data.get("performed", ())),
        missed=tuple(Missed(*_read_fact(f)) for f in data.get("missed", ())),
        skipped=tuple(Skipped(OccurrenceId.parse(name)) for name in data.get("skipped", ())),
        cancelled=tuple(Skipped(OccurrenceId.parse(name)) for name in data.get("cancelled", ())),
        pinned=tuple(Pinned(*_read_fact(f)) for f in data.get("pinned", ())),
        reported=tuple(reported_from_data(report) for report in data.get("reported", ())),
        absences=tuple(absence_from_data(absence) for absence in data.get("absences", ())),
        waivers=tuple(Given(w["element"], w["days"], w["reason"]) for w in data.get("waivers", ())),
        moved=_days_by_occurrence(data.get("moved", {})),
        booked=_bookings(data.get("booked", {})),
        ended=_bookings(data.get("ended", {})),
        added=tuple(data.get("added", ())),
        shifts=MappingProxyType(dict(data.get("shifts", {}))),
        decided=MappingProxyType(dict(data.get("decided", {}))),
        starts=tuple((step, protocol) for step, protocol in data.get("starts", ())),
        acknowledged=tuple(data.get("acknowledged", ())),
        baseline=_days_by_occurrence(data.get("baseline", {})),
    )


def booking_to_data(booking: Booking) -> Data:
    """A booking in the shape of the API's appointment."""
    return {
        "starts_at": _instant(booking.starts_at),
        "ends_at": _instant(booking.ends_at),
        "identifier": booking.identifier,
        "mode": booking.mode,
        "status": booking.status.value,
    }


def booking_from_data(data: Mapping[str, Any]) -> Booking:
    """A booking read back."""
    return Booking(
        datetime.fromisoformat(data["starts_at"]),
        datetime.fromisoformat(data["ends_at"]),
        data["identifier"],
        data["mode"],
        AppointmentStatus(data.get("status", AppointmentStatus.BOOKED)),
    )


def anchor_to_data(anchor: Anchor) -> Data:
    """An anchor with the step it is asked for."""
    data: Data = {"step": str(anchor.occurrence)}
    for key, day in (
        ("date", anchor.day),
        ("earliest_from", anchor.earliest_from),
        ("until", anchor.until),
    ):
        if day is not None:
            data[key] = day.isoformat()
    return data


def anchor_from_data(data: Mapping[str, Any]) -> Anchor:
    """An anchor read back."""
    return Anchor(
        OccurrenceId.parse(data["step"]),
        _day(data.get("date")),
        _day(data.get("earliest_from")),
        _day(data.get("until")),
    )


def reported_to_data(report: Reported) -> Data:
    """A report without what is not known of it."""
    data = {
        "id": report.id,
        "on": report.on.isoformat(),
        "agent": report.agent,
        "finding": report.finding,
        "body_site": report.body_site,
        "laterality": report.laterality,
        "cleared_on": _text(report.cleared_on),
    }
    return {key: value for key, value in data.items() if value is not None}


def reported_from_data(data: Mapping[str, Any]) -> Reported:
    """A report read back."""
    return Reported(
        data["id"],
        date.fromisoformat(data["on"]),
        data.get("agent"),
        data.get("finding"),
        data.get("body_site"),
        data.get("laterality"),
        _day(data.get("cleared_on")),
    )


def absence_to_data(absence: Absence) -> Data:
    """An absence of the patient, or of someone needed for some steps."""
    data: Data = {
        "id": absence.id,
        "from": absence.first.isoformat(),
        "to": absence.last.isoformat(),
    }
    if absence.steps is not None:
        data["steps"] = sorted(absence.steps)
    if absence.title:
        data["title"] = absence.title
    return data


def absence_from_data(data: Mapping[str, Any]) -> Absence:
    """An absence read back."""
    steps = data.get("steps")
    return Absence(
        data["id"],
        date.fromisoformat(data["from"]),
        date.fromisoformat(data["to"]),
        None if steps is None else frozenset(steps),
        data.get("title", ""),
    )


def reason_to_data(reason: Reason) -> Data:
    """A reason; its rule only where there is one."""
    data = {"code": reason.code, "text": reason.text}
    if reason.rule is not None:
        data["rule"] = reason.rule
    return data


def breach_to_data(breach: Breach, step_ids: list[str], *, acknowledged: bool) -> Data:
    """A breach in the shape of the API."""
    return {
        "id": breach.id,
        "rule": breach.rule,
        "severity": breach.severity.value,
        "text": breach.text,
        "step_ids": step_ids,
        "acknowledged": acknowledged,
    }


def move_to_data(move: Move, step_id: str) -> Data:
    """A move in the shape of the API."""
    return {
        "step_id": step_id,
        "step": str(move.id),
        "from": move.old.isoformat(),
        "to": _text(move.new),
        "reasons": [reason_to_data(reason) for reason in move.reasons],
    }


def _fact(occurrence: OccurrenceId, on: date) -> Data:
    return {"step": str(occurrence), "on": on.isoformat()}


def _read_fact(data: Mapping[str, Any]) -> tuple[OccurrenceId, date]:
    return OccurrenceId.parse(data["step"]), date.fromisoformat(data["on"])


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _days_by_occurrence(data: Mapping[str, str]) -> Mapping[OccurrenceId, date]:
    return MappingProxyType(
        {OccurrenceId.parse(name): date.fromisoformat(day) for name, day in data.items()}
    )


def _bookings(data: Mapping[str, Any]) -> Mapping[OccurrenceId, Booking]:
    return MappingProxyType(
        {OccurrenceId.parse(name): booking_from_data(one) for name, one in data.items()}
    )


def _days(data: Mapping[str, str]) -> Mapping[str, date]:
    return MappingProxyType({name: date.fromisoformat(day) for name, day in data.items()})
