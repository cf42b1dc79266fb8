"""What was done over FHIR: https://hl7.org/fhir/R4/procedure.html and encounter.html"""

from functools import partial
from uuid import UUID

from app.api.fhir.interactions import Answer, Ask, Face, Found
from app.api.fhir.queries import Parameter, Query, page_of
from app.api.fhir.reading import OfStep, StepReads, built, own_id, step_as_known
from app.api.fhir.service_requests import PATIENT, SUBJECT
from app.api.fhir.writing import change, outcome_of_change, refuse, resource_in, with_moves
from app.api.refusals import ResourceRefused
from app.domain.errors import Fault
from app.domain.protocols import StepKind
from app.domain.states import PlanStatus
from app.integrations.fhir.appointments import UNATTENDED
from app.integrations.fhir.care_plans import plan_meta
from app.integrations.fhir.elements import OWN
from app.integrations.fhir.fact_reading import (
    READ,
    change_of,
    faults_in,
    faults_in_correction,
    request_id,
    subject_of,
)
from app.integrations.fhir.facts import encounter, procedure
from app.integrations.fhir.patient_reading import left_out
from app.services import plans
from app.services.plans import StepNotFound
from app.services.plans.correcting import performing_change
from app.services.plans.searching import (
    StepSearch,
    StepState,
    find_steps,
    read_step,
)

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


async def _create(ask: Ask, *, type_: str, build: OfStep) -> Answer:
    """Record that a step was done."""
    resource = await resource_in(ask, type_)
    refuse(faults_in(resource))
    missing = ResourceRefused((Fault(f"{type_}.basedOn[0]", "not-found", "is no step of a plan"),))
    try:
        found = await read_step(ask.ctx, own_id(request_id(resource), missing))
    except StepNotFound:
        raise missing from None
    if subject_of(resource) != found.plan.patient_id:
        refuse([Fault(f"{type_}.subject", "value", "must be whom the plan is for")])
    if found.step.kind in UNATTENDED:
        refuse([Fault(f"{type_}.basedOn[0]", "value", "is nothing that is done to somebody")])
    done = change_of(resource, booked=found.step.status == "booked")
    changed = await change(ask, type_, found.plan.id, [done], revision=found.plan.revision)
    view = plans.view_of_planned(changed)
    made = StepReads(build).one(view, found.step.id)
    return Answer(
        resource=with_moves(made, changed),
        status=201,
        location=f"{type_}/{found.step.id}/_history/{view.revision}",
        outcome=outcome_of_change(changed, left_out(resource, READ)),
    )


async def _update(ask: Ask, *, type_: str, build: OfStep) -> Answer:
    """Take back what was entered in error."""
    found = await step_as_known(ask)
    known = StepReads(build).one(found.plan, found.step.id)
    sent = await resource_in(ask, type_)
    refuse(faults_in_correction(known, sent))
    if sent["status"] == known["status"]:
        return Answer(resource=known, outcome=outcome_of_change(None, ()))
    plan_id, revision = found.plan.id, found.plan.revision
    made = await performing_change(ask.ctx, UUID(plan_id), found.step.name)
    correction = {"type": "correct", "change_id": str(made)}
    changed = await change(ask, type_, plan_id, [correction], revision=revision)
    meta = plan_meta(plans.view_of_planned(changed))
    resource = with_moves({**known, "meta": meta, "status": sent["status"]}, changed)
    return Answer(resource=resource, outcome=outcome_of_change(changed, ()))


_FINAL = {"event": "completed", "encounter": "finished"}
_BASED_ON = Parameter("based-on", "reference", "The step.", ("ServiceRequest",), "basedOn")
_COMPLETED = Parameter("status", "token", "Its status.", codes=("completed",))
_FINISHED = Parameter("status", "token", "Its status.", codes=("finished",))
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
        _COMPLETED,
        _DATE,
        Parameter("code", "token", "The key of the step in its protocol."),
    ),
    sorts=("_id", "_lastUpdated", "date"),
    read=_PROCEDURES.read,
    vread=_PROCEDURES.vread,
    history=_PROCEDURES.history,
    search=partial(_search, build=procedure, status="event"),
    create=partial(_create, type_="Procedure", build=procedure),
    update=partial(_update, type_="Procedure", build=procedure),
    patched=True,
    conditional_create=True,
)
ENCOUNTER = Face(
    type="Encounter",
    text="The visit at which a step was done; its id is the step's.",
    mandatory=frozenset({"status", "class"}),
    summary=frozenset({"status", "class", "type", "subject", "participant", "appointment"}),
    parameters=(PATIENT, SUBJECT, _BASED_ON, _FINISHED, _DATE),
    sorts=("_id", "_lastUpdated", "date"),
    read=_ENCOUNTERS.read,
    vread=_ENCOUNTERS.vread,
    history=_ENCOUNTERS.history,
    search=partial(_search, build=encounter, status="encounter"),
    create=partial(_create, type_="Encounter", build=encounter),
    update=partial(_update, type_="Encounter", build=encounter),
    patched=True,
    conditional_create=True,
)
