"""What people read of each step of a plan: the engine's days dressed with texts and statuses."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.domain.calendars import EVERY_DAY
from app.domain.engine import solve
from app.domain.facts import Anchor, Missed, OccurrenceId, Performed, Skipped
from app.domain.offsets import Offset
from app.domain.plans.state import Booking, PlanState, Surroundings, problem_of
from app.domain.plans.steps import (
    PlannedStep,
    attention_of,
    breaches_of,
    next_step,
    planned_steps,
    to_be_started,
)
from app.domain.protocols import (
    Choice,
    Count,
    Details,
    Effect,
    Instruction,
    Order,
    Protocol,
    Repeat,
    Step,
    StepKind,
    Timepoint,
)
from app.domain.rules import Severity
from app.domain.schedules import Breach, Schedule
from app.domain.states import PlanStatus, StepStatus
from tests.domain.given_problems import SESSION, SESSION_DAY, after, bounds, step

CHECK, TODAY = OccurrenceId("check"), date(2027, 3, 1)
NINE = datetime(2027, 3, 17, 9, tzinfo=UTC)
BOOKING = Booking(NINE, NINE + timedelta(hours=1), "appointment-7", "in_person")
STATE = PlanState(anchor=Anchor(SESSION, SESSION_DAY))


def protocol(*steps: Step) -> Protocol:
    """A session and these steps, by default a check a week later."""
    session = step("session", kind=StepKind.PROCEDURE, importance=10)
    return Protocol((session, *(steps or (step("check", after(5, 7, 9)),))), anchor="session")


def ids_of(plan: Protocol, *more: OccurrenceId) -> dict[OccurrenceId, UUID]:
    """An id for whatever the protocol may have."""
    known = [OccurrenceId(one.key) for one in plan.steps]
    known += [OccurrenceId(one.key, n) for one in plan.steps for n in (1, 2, 3)]
    known += [OccurrenceId(one.key, p.key) for one in plan.steps for p in one.timepoints]
    return {occurrence: UUID(int=n) for n, occurrence in enumerate([*known, *more], 1)}


def dressed(
    state: PlanState = STATE,
    plan: Protocol | None = None,
    before: tuple[PlannedStep, ...] = (),
    as_of: date = TODAY,
    **members: Any,
) -> dict[str, PlannedStep]:
    """The planned steps of a state, by their occurrences in their order."""
    plan = plan or protocol()
    found = solve(problem_of(state, plan, Surroundings(EVERY_DAY), as_of=as_of))
    assert isinstance(found, Schedule)
    known = {one.occurrence: one for one in before}
    steps = planned_steps(found, plan, state, ids_of(plan), known, **members)
    return {str(one.occurrence): one for one in steps}


def test_a_step_has_the_days_the_engine_gives_and_the_texts_of_its_protocol() -> None:
    told = Instruction(Offset.of_days(-2), "patient", "Drink plenty of water.")
    details = Details(minutes=45, modes=("in_person",), instructions=(told,))

    check = dressed(plan=protocol(step("check", after(5, 7, 9), details=details)))["check"]

    assert (check.day, check.status) == (date(2027, 3, 17), StepStatus.PLANNED)
    assert (check.earliest, check.latest) == (date(2027, 3, 15), date(2027, 3, 19))
    assert (check.minutes, check.modes, check.deviation_days) == (45, ("in_person",), 0)
    assert check.instructions == (
        {"date": "2027-03-15", "audience": "patient", "text": "Drink plenty of water."},
    )
    assert check.reasons[0]["code"] == "on_target"


def test_steps_of_a_draft_are_proposals() -> None:
    steps = dressed(replace(STATE, status=PlanStatus.DRAFT))

    assert {one.status for one in steps.values()} == {StepStatus.PROPOSED}


def test_a_timepoint_has_its_own_title_minutes_and_modes_where_it_names_them() -> None:
    points = (
        Timepoint("m3", bounds(80, 90, 100)),
        Timepoint("m6", bounds(170, 180, 190), "Half a year", 15, ("phone",)),
    )
    details = Details(minutes=30, modes=("in_person",))
    follow = step("follow", after(0, 0, 0), timepoints=points, details=details)

    steps = dressed(plan=protocol(follow))

    usual, own = steps["follow/m3"], steps["follow/m6"]
    assert (usual.title, usual.minutes, usual.modes) == ("follow", 30, ("in_person",))
    assert (own.title, own.minutes, own.modes) == ("Half a year", 15, ("phone",))


def test_occurrences_stand_in_the_order_of_their_numbers_also_when_one_is_left_out() -> None:
    repeat = Repeat(Count(3, 3, 3), bounds(-8, -7, -6), Order.BACKWARD)
    plan = protocol(step("primer", after(-9, -7, -5), repeat=repeat))
    state = replace(STATE, skipped=(Skipped(OccurrenceId("primer", 2)),))

    steps = dressed(state, plan, as_of=date(2027, 2, 1))

    assert list(steps) == ["session", "primer/1", "primer/2", "primer/3"]
    assert [one.position for one in steps.values()] == [0, 1, 2, 3]
    assert [one.status.value for one in steps.values()][2] == "skipped"


@pytest.mark.parametrize(
    "field, status, text",
    [
        ("skipped", StepStatus.SKIPPED, "left out by a person"),
        ("cancelled", StepStatus.CANCELLED, "called off by a person"),
    ],
)
def test_what_is_left_out_is_still_there_without_a_day(
    field: str, status: StepStatus, text: str
) -> None:
    before = tuple(dressed().values())
    gone: dict[str, Any] = {field: (Skipped(CHECK), Skipped(OccurrenceId("unknown")))}
    state = replace(STATE, **gone)

    for known in (before, ()):
        check = dressed(state, before=known)["check"]
        assert (check.status, check.day, check.instructions) == (status, None, ())
        assert check.reasons == ({"code": status.value, "text": text},)


def test_a_booking_holds_as_long_as_its_day_does() -> None:
    state = replace(STATE, booked={CHECK: BOOKING}, moved={CHECK: date(2027, 3, 17)})
    made = frozenset({CHECK})

    booked = dressed(state, booked=made)["check"]
    again = dressed(state, before=(booked,))["check"]
    lost = dressed(replace(state, moved={CHECK: date(2027, 3, 18)}), before=(booked,))["check"]
    regained = dressed(state, before=(lost,))["check"]

    assert booked.status is again.status is StepStatus.BOOKED
    assert booked.appointment is not None
    assert booked.appointment["identifier"] == "appointment-7"
    assert lost.status is regained.status is StepStatus.PLANNED
    assert lost.appointment is regained.appointment is None


def test_what_was_performed_stays_as_it_was_then() -> None:
    done = (Performed(SESSION, date(2027, 2, 20)), Performed(CHECK, TODAY))
    state = replace(STATE, performed=done)
    then = dressed(state)["check"]
    renamed = protocol(step("check", after(5, 7, 9), kind=StepKind.CALL))
    without = protocol(step("other", after(5, 7, 9)))

    now = dressed(state, renamed, before=(then,))["check"]
    kept = dressed(state, without, before=(then,))["check"]
    undone = dressed(STATE, renamed, before=(then,))["check"]

    assert (now.kind, now.status) == (StepKind.VISIT, StepStatus.PERFORMED)
    assert (kept.day, kept.status) == (TODAY, StepStatus.PERFORMED)
    assert (undone.kind, undone.status) == (StepKind.CALL, StepStatus.PLANNED)


def test_what_is_there_no_more_and_was_never_done_is_gone() -> None:
    before = tuple(dressed().values())

    assert list(dressed(plan=protocol(step("other", after(5, 7, 9))), before=before)) == [
        "session",
        "other",
    ]


def test_a_missed_step_says_on_which_days_and_proposes_another() -> None:
    missed = tuple(Missed(CHECK, date(2027, 3, day)) for day in (15, 16))
    state = replace(STATE, performed=(Performed(SESSION, SESSION_DAY),), missed=missed)
    since = replace(state, moved={CHECK: date(2027, 3, 17)})

    open_ = dressed(state, as_of=date(2027, 3, 16))["check"]
    planned = dressed(since, as_of=date(2027, 3, 16))["check"]

    assert (open_.status, open_.day) == (StepStatus.MISSED, date(2027, 3, 17))
    assert open_.reasons[0] == {
        "code": "missed",
        "text": "missed on 2027-03-15 and 2027-03-16; this day is proposed instead",
    }
    assert planned.status is StepStatus.PLANNED
    assert planned.reasons[0]["text"] == "missed on 2027-03-15 and 2027-03-16"


def test_what_a_decision_calls_off_is_shown_so() -> None:
    no = Choice("no", "No", (Effect("cancel", ("check",)),))
    yes = Choice("yes", "Yes", (Effect("keep", ("check",)),))
    decision = step("decision", after(1, 2, 3), kind=StepKind.DECISION, choices=(yes, no))
    plan = protocol(decision, step("check", after(5, 7, 9)))
    before = tuple(dressed(plan=plan).values())

    check = dressed(replace(STATE, decided={"decision": "no"}), plan, before)["check"]
    kept = dressed(replace(STATE, decided={"decision": "yes"}), plan, before)["check"]

    assert (check.status, check.day) == (StepStatus.CANCELLED, None)
    assert check.reasons == ({"code": "decided", "text": "called off by the decision: decision"},)
    assert kept.status is StepStatus.PLANNED


# -- what needs a person


def breach(text: str, severity: Severity = Severity.REVIEW) -> Breach:
    """A breach of one rule by the session."""
    return Breach("washout:session", "washout", severity, text, (SESSION,))


def test_breaches_of_one_rule_by_one_step_are_numbered_and_equal_ones_told_once() -> None:
    schedule = Schedule((), breaches=(breach("one"), breach("other"), breach("one")))

    found = breaches_of(schedule, {SESSION: UUID(int=1)}, ("other",))

    assert [(b["id"], b["text"], b["acknowledged"]) for b in found] == [
        ("washout:session", "one", False),
        ("washout:session:2", "other", True),
    ]


def test_a_person_looks_at_breaches_steps_without_a_day_misses_and_starts() -> None:
    told = (breach("one"), breach("seen"), breach("only told", Severity.WARN))
    found = breaches_of(Schedule((), breaches=told), {SESSION: UUID(int=1)}, ("seen",))
    steps = dressed(replace(STATE, missed=(Missed(CHECK, TODAY),)))
    undated = replace(steps["session"], day=None)
    skipped = replace(undated, status=StepStatus.SKIPPED)

    codes = [
        item["code"]
        for item in attention_of(found, (undated, skipped, steps["check"]), (("check", "knee"),))
    ]

    assert codes == ["breach", "undated", "missed", "start"]
    assert to_be_started((undated,), (("check", "knee"),)) == []


def test_the_next_step_is_the_first_that_somebody_has_to_attend_to() -> None:
    rest = step("rest", after(-3, -2, 0), kind=StepKind.RESTRICTION, any_day=True)
    block = step("block", after(-3, -1, 0), span=Offset.of_days(9), any_day=True)
    plan = protocol(rest, block, step("check", after(5, 7, 9)))
    steps = dressed(plan=plan)
    done = dressed(replace(STATE, performed=(Performed(SESSION, TODAY),)), plan)

    assert next_step(tuple(steps.values())) == steps["session"].id
    assert next_step(tuple(done.values())) == done["check"].id
    assert next_step((replace(steps["session"], day=None),)) is None
