"""Visits of planned steps over FHIR: https://hl7.org/fhir/R4/appointment.html"""

from dataclasses import replace
from functools import partial
from zoneinfo import ZoneInfo

from app.api.fhir.interactions import Answer, Ask, Face, Found
from app.api.fhir.queries import Parameter, Query, page_of
from app.api.fhir.reading import StepReads, built, states_of, step_as_known
from app.api.fhir.writing import change, outcome_of_change, refuse, resource_in, with_moves
from app.domain.protocols import StepKind
from app.domain.states import AppointmentStatus
from app.integrations.fhir.appointment_changes import (
    Sent,
    changes_of,
    faults_in,
    said_beside,
)
from app.integrations.fhir.appointments import UNATTENDED, appointment, appointment_status
from app.services import plans
from app.services.plans.searching import (
    StepSearch,
    StepState,
    find_steps,
)

_STATUS = "http://hl7.org/fhir/appointmentstatus"
_STATUSES = ("proposed", "booked", "arrived", "checked-in", "fulfilled", "noshow", "cancelled")
_VISITS = tuple(kind for kind in StepKind if kind not in UNATTENDED)


def _states(query: Query) -> tuple[StepState, ...]:
    wanted = query.codes("status", _STATUS)
    known: dict[StepState, set[str | None]] = {}
    for booked in (None, *AppointmentStatus):
        for dated in (False, True):
            status = partial(appointment_status, kind="visit", booked=booked, is_dated=dated)
            for state in states_of(_STATUSES if wanted is None else wanted, status, dated=dated):
                known.setdefault(state, set()).add(booked)
    return tuple(replace(state, appointments=frozenset(of)) for state, of in known.items())


async def _search(ask: Ask, query: Query) -> Found:
    wanted = StepSearch(
        ids=query.ids("_id", "based-on"),
        patient_ids=query.ids("patient"),
        location_ids=query.ids("location"),
        kinds=_VISITS,
        states=_states(query),
        days=query.days("date"),
        updated=query.instants("_lastUpdated"),
    )
    return built(await find_steps(ask.ctx, wanted, page_of(query)), appointment)


async def update(ask: Ask) -> Answer:
    """Take over what became of a visit elsewhere."""
    found = await step_as_known(ask)
    known = _READS.one(found.plan, found.step.id)
    sent = await resource_in(ask, "Appointment")
    is_gone = found.step.status in {"skipped", "cancelled"}
    wanted = Sent(known, sent, found.step.day, ZoneInfo(found.plan.time_zone), is_gone)
    refuse(faults_in(wanted))
    beside = said_beside(wanted)
    changes = changes_of(wanted)
    if not changes:
        return Answer(resource=known, outcome=outcome_of_change(None, beside))
    reason = sent.get("cancelationReason", {}).get("text")
    changed = await change(
        ask, "Appointment", found.plan.id, changes, revision=found.plan.revision, reason=reason
    )
    outcome = outcome_of_change(changed, beside)
    made = _READS.one(plans.view_of_planned(changed), found.step.id)
    return Answer(resource=with_moves(made, changed), outcome=outcome)


_READS = StepReads(appointment)
FACE = Face(
    type="Appointment",
    text="The visit of a planned step: proposed on the day it has, booked, or kept.",
    mandatory=frozenset({"status", "participant"}),
    summary=frozenset({"identifier", "status", "cancelationReason", "serviceType", "start", "end"}),
    parameters=(
        Parameter("patient", "reference", "Who comes.", ("Patient",), "participant.actor"),
        Parameter("location", "reference", "Where it is.", ("Location",), "participant.actor"),
        Parameter("date", "date", "The local day."),
        Parameter("status", "token", "Its status.", codes=_STATUSES),
        Parameter("based-on", "reference", "The step.", ("ServiceRequest",), "basedOn"),
    ),
    sorts=("_id", "_lastUpdated", "date"),
    read=_READS.read,
    vread=_READS.vread,
    history=_READS.history,
    search=_search,
    update=update,
    patched=True,
)
