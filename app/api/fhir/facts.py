"""What was done over FHIR: https://hl7.org/fhir/R4/procedure.html and encounter.html"""

from functools import partial

from app.api.fhir.interactions import Ask, Face, Found
from app.api.fhir.queries import Parameter, Query, page_of
from app.api.fhir.reading import OfStep, StepReads, built
from app.api.fhir.service_requests import PATIENT, SUBJECT
from app.domain.protocols import StepKind
from app.domain.states import PlanStatus
from app.integrations.fhir.appointments import UNATTENDED
from app.integrations.fhir.elements import OWN
from app.integrations.fhir.facts import encounter, procedure
from app.services.plans.searching import StepSearch, StepState, find_steps

_DONE = StepState(frozenset(PlanStatus), frozenset({"performed"}))
_KINDS = tuple(kind for kind in StepKind if kind not in UNATTENDED)


async def _search(ask: Ask, query: Query, *, build: OfStep, status: str) -> Found:
    statuses = query.codes("status", f"http://hl7.org/fhir/{status}-status")
    fits = statuses is None or _FINAL[status] in statuses
    wanted = StepSearch(
        ids=query.ids("_id", "based-on"),
        patient_ids=query.ids("patient", "subject"),
        keys=query.codes("code", f"{OWN}:step"),
        kinds=_KINDS,
        states=(_DONE,) if fits else (),
        days=query.days("date"),
        updated=query.instants("_lastUpdated"),
    )
    return built(await find_steps(ask.ctx, wanted, page_of(query)), build)


_FINAL = {"event": "completed", "encounter": "finished"}
_BASED_ON = Parameter("based-on", "reference", "The step.", ("ServiceRequest",), "basedOn")
_STATUS = Parameter("status", "token", "Its status.")
_DATE = Parameter("date", "date", "The local day.")
_PROCEDURES, _ENCOUNTERS = StepReads(procedure), StepReads(encounter)

PROCEDURE = Face(
    type="Procedure",
    text="What was done at a step, on its local day; its id is the step's.",
    mandatory=frozenset({"status", "subject"}),
    summary=frozenset(
        {
            *("basedOn", "status", "category", "code", "subject", "encounter"),
            *("performedDateTime", "performer", "location", "reasonCode", "bodySite"),
        }
    ),
    parameters=(
        PATIENT,
        SUBJECT,
        _BASED_ON,
        _STATUS,
        _DATE,
        Parameter("code", "token", "The key of the step in its protocol."),
    ),
    sorts=("_id", "_lastUpdated", "date"),
    read=_PROCEDURES.read,
    vread=_PROCEDURES.vread,
    history=_PROCEDURES.history,
    search=partial(_search, build=procedure, status="event"),
)
ENCOUNTER = Face(
    type="Encounter",
    text="The visit at which a step was done; its id is the step's.",
    mandatory=frozenset({"status", "class"}),
    summary=frozenset({"status", "class", "type", "subject", "participant", "appointment"}),
    parameters=(PATIENT, SUBJECT, _BASED_ON, _STATUS, _DATE),
    sorts=("_id", "_lastUpdated", "date"),
    read=_ENCOUNTERS.read,
    vread=_ENCOUNTERS.vread,
    history=_ENCOUNTERS.history,
    search=partial(_search, build=encounter, status="encounter"),
)
