"""Visits of planned steps over FHIR: https://hl7.org/fhir/R4/appointment.html"""

from functools import partial

from app.api.fhir.interactions import Ask, Face, Found
from app.api.fhir.queries import Parameter, Query, page_of
from app.api.fhir.reading import StepReads, built, states_of
from app.domain.protocols import StepKind
from app.integrations.fhir.appointments import UNATTENDED, appointment, appointment_status
from app.services.plans.searching import StepSearch, StepState, find_steps

_STATUS = "http://hl7.org/fhir/appointmentstatus"
_STATUSES = ("proposed", "booked", "fulfilled", "cancelled")
_VISITS = tuple(kind for kind in StepKind if kind not in UNATTENDED)


def _states(query: Query) -> tuple[StepState, ...]:
    wanted = query.codes("status", _STATUS)
    found: list[StepState] = []
    for timed in (False, True):
        for dated in (False, True):
            status = partial(appointment_status, kind="visit", is_timed=timed, is_dated=dated)
            found += states_of(
                _STATUSES if wanted is None else wanted, status, timed=timed, dated=dated
            )
    return tuple(found)


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
        Parameter("status", "token", "Its status."),
        Parameter("based-on", "reference", "The step.", ("ServiceRequest",), "basedOn"),
    ),
    sorts=("_id", "_lastUpdated", "date"),
    read=_READS.read,
    vread=_READS.vread,
    history=_READS.history,
    search=_search,
)
