"""Planned steps over FHIR: https://hl7.org/fhir/R4/servicerequest.html"""

from functools import partial

from app.api.fhir.interactions import Answer, Ask, Face, Found
from app.api.fhir.queries import Parameter, Query, page_of
from app.api.fhir.reading import StepReads, built, states_of, step_as_known
from app.api.fhir.writing import change, outcome_of_change, refuse, resource_in, with_moves
from app.domain.protocols import StepKind
from app.integrations.fhir.elements import OWN
from app.integrations.fhir.request_changes import changes_of, faults_in
from app.integrations.fhir.service_requests import request_status, service_request
from app.services import plans
from app.services.plans.searching import (
    StepSearch,
    StepState,
    find_steps,
)

_STATUSES = ("draft", "active", "on-hold", "revoked", "completed", "entered-in-error")
_STATUS = "http://hl7.org/fhir/request-status"
PATIENT = Parameter("patient", "reference", "Who is treated.", ("Patient",), "subject")
SUBJECT = Parameter("subject", "reference", "Who is treated.", ("Patient",), "subject")


def _states(query: Query) -> tuple[StepState, ...] | None:
    wanted = query.codes("status", _STATUS)
    if wanted is None:
        return None
    return tuple(
        state
        for tentative in (False, True)
        for state in states_of(
            wanted, partial(request_status, tentative=tentative), tentative=tentative
        )
    )


async def _search(ask: Ask, query: Query) -> Found:
    wanted = StepSearch(
        ids=query.ids("_id"),
        plan_ids=query.ids("based-on"),
        patient_ids=query.ids("patient", "subject"),
        keys=query.codes("code", f"{OWN}:step"),
        kinds=query.codes("category", f"{OWN}:step-kind"),
        states=_states(query),
        windows=query.days("occurrence"),
        has_window=query.has("occurrence"),
        updated=query.instants("_lastUpdated"),
    )
    return built(await find_steps(ask.ctx, wanted, page_of(query)), service_request)


async def _update(ask: Ask) -> Answer:
    """Call a step off, or want it again."""
    found = await step_as_known(ask)
    known = service_request(found.plan, found.step)
    sent = await resource_in(ask, "ServiceRequest")
    refuse(faults_in(known, sent))
    changes = changes_of(known, sent)
    if not changes:
        return Answer(resource=known, outcome=outcome_of_change(None, ()))
    changed = await change(
        ask, "ServiceRequest", found.plan.id, changes, revision=found.plan.revision
    )
    made = _READS.one(plans.view_of_planned(changed), found.step.id)
    return Answer(resource=with_moves(made, changed), outcome=outcome_of_change(changed, ()))


_READS = StepReads(service_request)
FACE = Face(
    type="ServiceRequest",
    text="A planned step; its version is the revision of its plan.",
    mandatory=frozenset({"status", "intent", "subject"}),
    summary=frozenset(
        {
            *("instantiatesCanonical", "basedOn", "status", "intent", "category", "code"),
            *("subject", "occurrencePeriod", "occurrenceDateTime", "authoredOn", "requester"),
            *("performer", "locationReference", "reasonCode", "bodySite", "patientInstruction"),
        }
    ),
    parameters=(
        PATIENT,
        SUBJECT,
        Parameter("based-on", "reference", "The plan it belongs to.", ("CarePlan",), "basedOn"),
        Parameter("status", "token", "Its status.", codes=_STATUSES),
        Parameter("occurrence", "date", "Between which days it may happen.", optional=True),
        Parameter("code", "token", "The key of the step in its protocol."),
        Parameter("category", "token", "The kind of step.", codes=tuple(StepKind)),
    ),
    sorts=("_id", "_lastUpdated", "date"),
    reverse=("Appointment:based-on", "Procedure:based-on"),
    read=_READS.read,
    vread=_READS.vread,
    history=_READS.history,
    search=_search,
    update=_update,
    patched=True,
)
