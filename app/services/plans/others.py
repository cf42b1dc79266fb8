"""The patient's other plans as one plan looks at them: their days, and the rules they go by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.facts import OccurrenceId, OtherPlan, OtherStep
from app.domain.plans.records import state_from_data
from app.domain.plans.state import rules_over_all_plans
from app.domain.protocols import Protocol, StepKind
from app.domain.rules import OverAllPlans, Rule
from app.domain.states import PlanStatus, StepStatus
from app.persistence.plans.lives import read_standings
from app.persistence.plans.records import PatientStep
from app.persistence.protocols import ProtocolRepository
from app.services import clinic
from app.services.context import Context
from app.services.plans.documents import parsed

RULE = "rule:"


@dataclass(frozen=True, slots=True)
class HeldTo:
    """The rules of a plan that look at all plans of its patient, and what was set aside there.

    Waivers are by the id of the rule; for a rule of another plan that plan's id is before it.
    """

    rules: tuple[OverAllPlans, ...]
    waivers: Mapping[str, int | None]


def held_to(protocol: Protocol, clinic_rules: tuple[Rule, ...], data: Mapping[str, Any]) -> HeldTo:
    """What the stored state of a plan makes of its protocol's rules and the clinic's."""
    state = state_from_data(data)
    waivers = {
        given.element.removeprefix(RULE): given.days
        for given in state.waivers
        if given.element.startswith(RULE)
    }
    return HeldTo(rules_over_all_plans(protocol, clinic_rules, state), waivers)


async def load_held(
    ctx: Context, others: Iterable[PatientStep], clinic_rules: str | None
) -> dict[UUID, HeldTo]:
    """What each of the plans is held to whose steps these are; nothing is read without any.

    ``clinic_rules`` are those the clinic has saved, if it has.
    """
    ids = {step.plan_id for step in others if counts(step)}
    if not ids:
        return {}
    protocols = ProtocolRepository(ctx.connection, ctx.clinic_id)
    found = {}
    for standing in await read_standings(ctx.connection, ctx.clinic_id, ids):
        protocol = (await parsed.document(protocols, standing.version)).protocol
        rules = clinic.applied(clinic_rules, protocol)
        found[standing.plan_id] = held_to(protocol, rules, standing.state)
    return found


def other_plans(
    steps: Iterable[PatientStep], held: Mapping[UUID, HeldTo], plan_id: UUID | None
) -> tuple[OtherPlan, ...]:
    """The plans whose steps these are, as the plan of this id looks at them."""
    found: dict[UUID, list[PatientStep]] = {}
    for step in steps:
        if counts(step):
            found.setdefault(step.plan_id, []).append(step)
    return tuple(_other_plan(of_plan, held.get(id_), plan_id) for id_, of_plan in found.items())


def _other_plan(steps: list[PatientStep], held: HeldTo | None, looking: UUID | None) -> OtherPlan:
    waivers = {} if held is None else held.waivers
    ours = f"{looking}/"
    return OtherPlan(
        id=str(steps[0].plan_id),
        steps=tuple(_other_step(step) for step in steps),
        body_site=steps[0].body_site,
        laterality=steps[0].laterality,
        rules=() if held is None else held.rules,
        waived={rule: days for rule, days in waivers.items() if "/" not in rule},
        waived_of_ours={
            rule.removeprefix(ours): days for rule, days in waivers.items() if rule.startswith(ours)
        },
    )


def counts(step: PatientStep) -> bool:
    """Whether other plans must respect it: what happened always, what is promised while it is."""
    if step.plan_status == PlanStatus.ENTERED_IN_ERROR:
        return False
    if step.status == StepStatus.PERFORMED:
        return True
    promised = step.plan_status in {PlanStatus.ACTIVE, PlanStatus.ON_HOLD}
    return promised and step.status in {StepStatus.PLANNED, StepStatus.BOOKED}


def _other_step(step: PatientStep) -> OtherStep:
    key = str(OccurrenceId(step.key, step.occurrence))
    # A time without an agent gives none.
    agent = None if step.kind == StepKind.RESTRICTION else step.agent
    performed = step.status == StepStatus.PERFORMED
    return OtherStep(key, step.day, step.kind, step.end_day, agent, performed)
