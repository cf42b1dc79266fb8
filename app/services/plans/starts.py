"""What decisions of a plan have started and nobody has begun: asked for, ready to be posted."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from app.domain.documents import ProtocolDocument
from app.domain.errors import DomainError
from app.domain.facts import OccurrenceId
from app.domain.plans.step_changes import Perform
from app.domain.protocols import Effect, Order, Step
from app.domain.schedules import Option
from app.domain.states import PlanStatus, StepStatus
from app.persistence.plans.records import PlanView
from app.services.context import Context
from app.services.plans.loading import load_basis, load_version
from app.services.plans.planning import ScheduleConflict, answer, problem_for
from app.services.plans.redating import STARTING
from app.services.plans.requests import AskedAnchor, PlanRequest, StartedBy


@dataclass(frozen=True, slots=True)
class Start:
    """A protocol which a decision starts, and the request for its plan.

    Where not everything that was done fits, ``option`` is the way out that the request takes.
    ``why_not`` says why there is no request: nobody could post one now.
    """

    step: str
    step_id: str | None
    protocol: str
    request: PlanRequest | None = None
    option: Option | None = None
    conflict: ScheduleConflict | None = None
    why_not: str | None = None


async def open_starts(ctx: Context, view: PlanView) -> tuple[Start, ...]:
    """What is to be started, as a request that can be posted today; decided things only."""
    opened = view.state.get("starts", ())
    if not opened or PlanStatus(view.status) not in STARTING:
        return ()
    _, document = await load_version(ctx, view.protocol_key, view.protocol_version)
    return tuple([await _start(ctx, view, document, step, key) for step, key in opened])


async def _start(
    ctx: Context, view: PlanView, document: ProtocolDocument, step: str, protocol: str
) -> Start:
    ids = [one.id for one in view.steps if one.key == step]
    start = Start(step, next(iter(ids), None), protocol)
    try:
        _, target = await load_version(ctx, protocol, None)
        request = _request(ctx, view, start, _effect(document, view, start), target)
        asked = problem_for(request, await load_basis(ctx, request))
        await answer(asked.problem)
    except ScheduleConflict as error:
        option = next(iter(error.options), None)
        if option is None:
            return replace(start, why_not=str(error))
        return replace(start, request=request, option=option, conflict=error)
    except DomainError as error:
        return replace(start, why_not=str(error))
    return replace(start, request=request)


def _effect(document: ProtocolDocument, view: PlanView, start: Start) -> Effect:
    decision = document.protocol.step(start.step)
    taken = view.state.get("decided", {}).get(start.step)
    effects = (
        effect
        for choice in (() if decision is None else decision.choices)
        if choice.key == taken
        for effect in choice.effects
        if effect.protocol == start.protocol
    )
    # A version to which the plan was amended may know nothing of it.
    return next(effects, Effect("start", protocol=start.protocol))


def _request(
    ctx: Context, view: PlanView, start: Start, effect: Effect, target: ProtocolDocument
) -> PlanRequest:
    """The plan to be asked for: the same patient, place, condition and side, what was done."""
    protocol, sides = target.protocol, target.laterality
    done: list[Perform] = []
    parameters: dict[str, str | int] = {}
    for other, own in effect.counts_as:
        step = protocol.step(other)
        if step is not None:
            facts = _counted(view, own, step)
            done += facts
            parameters |= _number(step, len(facts))
    anchored = AskedAnchor(earliest_from=ctx.today(view.time_zone))
    return PlanRequest(
        protocol_key=start.protocol,
        patient_id=UUID(view.patient_id),
        location_id=UUID(view.location_id),
        anchor=None if protocol.anchor is None else anchored,
        parameters=parameters,
        laterality=None if sides and view.laterality not in sides.allowed else view.laterality,
        condition=view.condition,
        practitioner=view.practitioner,
        changes=tuple(done),
        started_by=StartedBy(UUID(view.id), start.step),
    )


def _counted(view: PlanView, own: str, step: Step) -> list[Perform]:
    """What was done here as facts there; of more than there can be, the last."""
    days = sorted(
        date.fromisoformat(one.day)
        for one in view.steps
        if one.key == own and one.status == StepStatus.PERFORMED and one.day is not None
    )
    if step.repeat is None:
        return [Perform(OccurrenceId(step.key), day) for day in days[-1:]]
    last = days[-step.repeat.count.maximum :]
    # Backward, number 1 is the one nearest to what follows.
    ordered = last[::-1] if step.repeat.order is Order.BACKWARD else last
    return [Perform(OccurrenceId(step.key, n), day) for n, day in enumerate(ordered, start=1)]


def _number(step: Step, done: int) -> dict[str, str | int]:
    """As many as were done: nobody asks for more of them."""
    count = None if step.repeat is None else step.repeat.count
    if count is None or count.parameter is None or count.by_value or not done:
        return {}
    return {count.parameter: done + count.less}
