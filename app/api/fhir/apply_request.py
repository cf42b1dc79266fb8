"""What ``$apply`` is asked, as a request for a plan by a protocol that is known."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from uuid import UUID
from zoneinfo import ZoneInfo

from anyio import to_thread

from app.api.refusals import ResourceRefused
from app.domain.calendars import local_date
from app.domain.documents import ProtocolDocument
from app.domain.errors import Fault
from app.domain.protocols import OutsideEvent, Protocol
from app.integrations.fhir.action_conditions import NO, YES, Applicability
from app.integrations.fhir.action_tree import as_key
from app.integrations.fhir.apply_parameters import Asked, AskedChoice, AskedDay
from app.integrations.fhir.expressions import ConditionNotEvaluated, condition_holds
from app.integrations.fhir.findings import Data, Findings
from app.integrations.fhir.patients import patient_resource
from app.integrations.fhir.plan_definitions import ReadPlanDefinition
from app.services import locations, patients
from app.services.context import Context
from app.services.listing import SearchPage
from app.services.locations import LocationNotFound, LocationRecord
from app.services.patients import Identifier, PatientSearch
from app.services.plans.requests import AskedAnchor, PlanRequest

_AT = "Parameters.parameter"
_PLAN_START = "plan_start"
MAX_CONDITIONS = 50


def refuse(findings: Findings) -> None:
    """Raise ResourceRefused for everything that was refused."""
    if findings.refused:
        faults = (Fault(one.expression, one.code, one.text) for one in findings.refused)
        raise ResourceRefused(tuple(faults))


async def request_of(
    ctx: Context, asked: Asked, document: ProtocolDocument, read: ReadPlanDefinition | None
) -> PlanRequest:
    """The request; ``read`` says how a foreign definition was understood.

    Raises ResourceRefused.
    """
    findings = Findings()
    location_id, zone = await _place(ctx, asked, findings)
    given = _Given()
    for day in asked.days:
        given.take(day, document.protocol, zone, findings)
    _refuse_missing(asked, given, document, findings)
    parameters = _choices(asked, document.protocol, findings)
    if read is not None:
        parameters |= await _conditions(ctx, asked, read, zone, findings)
        _refuse_unchosen(read, parameters, findings)
    refuse(findings)
    by_identifier = isinstance(asked.patient, tuple)
    return PlanRequest(
        protocol_key=document.key,
        protocol_version=document.version,
        patient_id=asked.patient if isinstance(asked.patient, UUID) else None,
        patient_identifier=Identifier(*asked.patient) if by_identifier else None,  # type: ignore[misc] # it is a pair
        location_id=location_id,
        anchor=given.anchor,
        plan_start=given.plan_start,
        events=given.events,
        parameters=parameters,
        laterality=asked.laterality,
        practitioner=asked.practitioner,
        identifiers=tuple(Identifier(*pair) for pair in asked.identifiers),
        not_before=asked.not_before,
    )


async def _place(
    ctx: Context, asked: Asked, findings: Findings
) -> tuple[UUID | None, tzinfo | None]:
    """The location, and the zone in which instants are days, as far as they are known."""
    named: list[LocationRecord] = []
    if asked.location is None:
        named += (await locations.list_locations(ctx, after=None, limit=200)).items
    else:
        # One that is not there is refused where the plan is made.
        with suppress(LocationNotFound):
            named.append(await locations.get_location(ctx, asked.location))
    if asked.time_zone is not None:
        named = [one for one in named if one.time_zone == asked.time_zone]
        if not named:
            findings.refuse(_AT, "not-found", "no such location has this time zone")
    zones = {one.time_zone for one in named}
    zone = ZoneInfo(zones.pop()) if len(zones) == 1 else None
    if asked.location is None and asked.time_zone is not None and len(named) == 1:
        return named[0].id, zone
    return asked.location, zone


@dataclass(slots=True)
class _Given:
    """The days that were given: of the anchor, of the plan's start, of outside events."""

    anchor: AskedAnchor | None = None
    plan_start: date | None = None
    events: dict[str, date] = field(default_factory=dict)

    def take(
        self, asked: AskedDay, protocol: Protocol, zone: tzinfo | None, findings: Findings
    ) -> None:
        """Take one day, for what it is meant."""
        on = asked.on
        if isinstance(on, datetime):
            if zone is None:
                text = "an instant is a day only in a time zone: name the location, or give a day"
                findings.refuse(asked.at, "required", text)
                return
            on = local_date(on, zone)
        name = self._name(asked, protocol)
        if name == protocol.anchor and self.anchor is None:
            self.anchor = AskedAnchor(on, asked.earliest, asked.until)
        elif on is not None and name == _PLAN_START and self.plan_start is None:
            self.plan_start = on
        elif on is not None and name in _events(protocol) and name not in self.events:
            self.events[name] = on
        else:
            findings.refuse(asked.at, "business-rule", _hangs_from(protocol))

    def _name(self, asked: AskedDay, protocol: Protocol) -> str:
        """What is meant; where there is no anchor every step begins with the plan."""
        named = _PLAN_START if protocol.anchor is None else protocol.anchor
        if asked.action is None:
            return named
        key = as_key(asked.action)
        is_outside = key in _events(protocol) or asked.action == _PLAN_START
        return key if is_outside or protocol.anchor is not None else named


def _events(protocol: Protocol) -> set[str]:
    found = (timing.reference for step in protocol.steps for timing in step.every_timing)
    return {one.name for one in found if isinstance(one, OutsideEvent)}


def _hangs_from(protocol: Protocol) -> str:
    names = [protocol.anchor or _PLAN_START, *sorted(_events(protocol))]
    return f"the protocol hangs from {', '.join(names)}, and each has one day"


def _refuse_missing(
    asked: Asked, given: _Given, document: ProtocolDocument, findings: Findings
) -> None:
    anchor, sides = document.protocol.anchor, document.laterality
    if anchor is not None and given.anchor is None:
        text = f"the parameter 'anchor' is required: the day of '{anchor}'"
        findings.refuse(_AT, "required", text)
    elif sides is not None and sides.required and asked.laterality is None:
        text = f"the parameter 'laterality' is required: one of {', '.join(sides.allowed)}"
        findings.refuse(_AT, "required", text)


def _choices(asked: Asked, protocol: Protocol, findings: Findings) -> dict[str, str | int]:
    known = {parameter.key: parameter for parameter in protocol.parameters}
    found: dict[str, str | int] = {}
    for choice in asked.choices:
        parameter = known.get(choice.name)
        if parameter is None:
            findings.refuse(choice.at, "not-found", "there is nothing of that name to choose")
            continue
        value = _value(choice, parameter.options)
        if choice.name in found or not parameter.may_be_given(value):
            values = ", ".join(parameter.options) or "a whole number within its bounds"
            findings.refuse(choice.at, "code-invalid", f"must be one of {values}, once")
        found[choice.name] = value
    return found


def _value(choice: AskedChoice, options: tuple[str, ...]) -> str | int:
    """The value chosen; a part of a group may be named by its id."""
    if isinstance(choice.value, int) or choice.value in options:
        return choice.value
    return as_key(choice.value)


async def _conditions(
    ctx: Context,
    asked: Asked,
    read: ReadPlanDefinition,
    zone: tzinfo | None,
    findings: Findings,
) -> dict[str, str | int]:
    """Which conditions hold of the patient."""
    expressions = [one for held in read.conditions for one in held.conditions]
    if not expressions:
        return {}
    if len(expressions) > MAX_CONDITIONS:
        text = f"more than {MAX_CONDITIONS} conditions are not evaluated"
        findings.refuse("PlanDefinition.action", "too-costly", text)
        return {}
    wanted = (
        PatientSearch(identifiers=((asked.patient,),))
        if isinstance(asked.patient, tuple)
        else PatientSearch(ids=(asked.patient,) if asked.patient is not None else ())
    )
    known = (await patients.find_patients(ctx, wanted, SearchPage(limit=1))).items
    if not known:
        # Who it is for is looked up again where the plan is made, and refused there.
        return {}
    now = ctx.now if zone is None else ctx.now.astimezone(zone)
    patient = patient_resource(known[0])
    found, refused = await to_thread.run_sync(_evaluated, read.conditions, patient, now)
    for at, text in refused:
        findings.refuse(at, "not-supported", text)
    return found


def _evaluated(
    conditions: tuple[Applicability, ...], patient: Data, now: datetime
) -> tuple[dict[str, str | int], list[tuple[str, str]]]:
    found: dict[str, str | int] = {}
    refused = []
    for one in conditions:
        holds = True
        for condition in one.conditions:
            try:
                holds = condition_holds(condition.expression, patient, now) and holds
            except ConditionNotEvaluated as error:
                refused.append((condition.at, str(error)))
        found[one.parameter["key"]] = YES if holds else NO
    return found, refused


def _refuse_unchosen(
    read: ReadPlanDefinition, parameters: dict[str, str | int], findings: Findings
) -> None:
    """What must be chosen and has no usual choice is asked for."""
    for selected in read.selections:
        parameter = selected.parameter
        if "default" not in parameter and parameter["key"] not in parameters:
            options = ", ".join(parameter["options"])
            text = f"a choice of '{parameter['key']}' is required: one of {options}"
            findings.refuse(_AT, "required", text)
