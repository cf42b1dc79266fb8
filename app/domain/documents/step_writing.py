"""Writes steps as plain data, in the order of the notation, without what is meant anyway."""

from typing import Any, assert_never

from app.domain.documents.usual import usual_any_day, usual_importance
from app.domain.documents.writing import (
    Written,
    items,
    offset_text,
    sources_data,
    spread_data,
    unless,
    written,
)
from app.domain.protocols import (
    Alternatives,
    BirthDate,
    Bounds,
    Choice,
    Condition,
    Count,
    Effect,
    Follows,
    LatestIs,
    Need,
    Order,
    OutsideEvent,
    PlanStart,
    Point,
    Reference,
    Repeat,
    Segment,
    Step,
    StepReference,
    Timepoint,
    Timing,
    Unit,
)


def step_data(step: Step) -> Written:
    """One step."""
    details = step.details
    points = step.timepoints
    usual_day = usual_any_day(step.kind, step.span is not None, details.modes)
    return written(
        key=step.key,
        kind=str(step.kind),
        title=step.title,
        optional=step.optional,
        when=condition_data(step.when),
        on_decision=step.on_decision,
        external=details.external,
        side=step.side,
        timings=None if points else [timing_data(timing) for timing in step.timings],
        alternatives=_alternatives_data(step.alternatives),
        repeat=_repeat_data(step.repeat),
        **(_reference_members(step.timings[0]) if points else {}),
        timepoints=[_timepoint_data(point, step) for point in points],
        span=offset_text(step.span),
        span_seen=spread_data(details.span_seen),
        importance=unless(usual_importance(step.kind, details.modes), step.importance),
        agent=step.agent,
        tags=list(details.tags),
        choices=[_choice_data(choice) for choice in step.choices],
        appointment=_appointment_data(step),
        resources=[_need_data(need) for need in details.resources],
        requires=list(details.requires),
        needs=list(details.needs),
        produces=list(details.produces),
        outcomes=list(details.outcomes),
        asks=list(details.asks),
        outcome_set=details.outcome_set,
        instructions=[
            {"offset": str(item.offset), "audience": item.audience, "text": item.text}
            for item in details.instructions
        ],
        note=details.note,
        sources=sources_data(details.sources),
    ) | ({} if step.any_day == usual_day else {"any_day": step.any_day})


def condition_data(condition: Condition | None) -> Written | None:
    """A condition on a parameter."""
    if condition is None:
        return None
    return written(parameter=condition.parameter, in_=list(condition.values), min=condition.minimum)


def _reference_data(reference: Reference) -> Written | str:
    match reference:
        case PlanStart():
            return "plan_start"
        case BirthDate():
            return "birth_date"
        case OutsideEvent(name):
            return {"event": name}
        case StepReference(step, occurrence):
            return written(step=step, occurrence=occurrence)
        case never:
            assert_never(never)


def _reference_members(timing: Timing) -> Written:
    reference = timing.reference
    point = reference.point if isinstance(reference, StepReference) else Point.START
    return written(
        relative_to=_reference_data(reference),
        from_=unless(Point.START, point),
        follows=unless(Follows.ACTUAL_ELSE_PLANNED, timing.follows),
    )


def timing_data(timing: Timing) -> Written:
    """One timing."""
    return _plain(_reference_members(timing) | bounds_data(timing.bounds))


def bounds_data(bounds: Bounds) -> Written:
    """Three offsets."""
    return _plain(
        written(
            earliest=offset_text(bounds.earliest),
            target=offset_text(bounds.target),
            latest=offset_text(bounds.latest),
            unit=unless(Unit.DAYS, bounds.unit),
            latest_is=unless(LatestIs.BOUND, bounds.latest_is),
        )
    )


def _plain(data: Written) -> Written:
    """Members of enumerations as their words."""
    return {key: str(value) if isinstance(value, str) else value for key, value in data.items()}


def _alternatives_data(alternatives: Alternatives | None) -> Written | None:
    if alternatives is None:
        return None
    parameter = alternatives.parameter
    return {
        "choose": "first_feasible" if parameter is None else {"parameter": parameter},
        "options": [
            {"key": key, "timing": timing_data(timing)} for key, timing in alternatives.options
        ],
    }


def _repeat_data(repeat: Repeat | None) -> Written | None:
    if repeat is None:
        return None
    others = {value: bounds_data(bounds) for value, bounds in repeat.spacing_by}
    return written(
        count=_count_data(repeat.count),
        spacing=bounds_data(repeat.spacing),
        spacing_by={"parameter": repeat.spacing_parameter, "values": others} if others else None,
        order=None if repeat.order is Order.FORWARD else str(repeat.order),
    )


def _count_data(count: Count) -> Written:
    return written(
        min=count.minimum,
        default=count.default,
        max=count.maximum,
        parameter=count.parameter,
        less=unless(0, count.less),
        by_value=dict(count.by_value),
    )


def _timepoint_data(point: Timepoint, step: Step) -> Written:
    importance, any_day = _usual_of_point(point, step)
    modes = None if point.modes is None else items(point.modes)
    data = {"key": point.key} | bounds_data(point.bounds)
    data |= written(
        title=point.title,
        appointment=written(minutes=point.minutes, modes=modes),
        importance=unless(importance, point.importance),
    )
    if point.any_day is None or point.any_day == any_day:
        return data
    return data | {"any_day": point.any_day}


def _usual_of_point(point: Timepoint, step: Step) -> tuple[int, bool]:
    """What is meant for a timepoint of this step as it is written."""
    own, has_span = step.details.modes, step.span is not None
    modes = point.modes or own
    importance, any_day = step.importance, step.any_day
    if importance == usual_importance(step.kind, own):
        importance = usual_importance(step.kind, modes)
    if any_day == usual_any_day(step.kind, has_span, own):
        any_day = usual_any_day(step.kind, has_span, modes)
    return importance, any_day


def _choice_data(choice: Choice) -> Written:
    effects = [_effect_data(effect) for effect in choice.effects]
    return written(key=choice.key, title=choice.title, effects=effects)


def _effect_data(effect: Effect) -> Written:
    return written(
        type=effect.type,
        steps=list(effect.steps),
        parameter=effect.parameter,
        value=effect.value,
        count=effect.count,
        offset=offset_text(effect.offset),
        protocol=effect.protocol,
        counts_as=dict(effect.counts_as),
    )


def _appointment_data(step: Step) -> Written:
    return written(
        minutes=step.details.minutes,
        modes=items(step.details.modes),
        segments=[_segment_data(segment) for segment in step.details.segments],
    )


def _segment_data(segment: Segment) -> Written:
    wide: Any = segment.start_range
    return written(
        key=segment.key,
        start=segment.start,
        minutes=segment.minutes,
        start_range=None if wide is None else {"min": wide[0], "max": wide[1]},
        resources=[_need_data(need) for need in segment.resources],
    )


def _need_data(need: Need) -> Written:
    return {str(need.kind): need.key} | written(capability=need.capability)
