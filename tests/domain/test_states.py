"""Where a planned step stands in its window: one definition, both edges inside."""

from datetime import date

import pytest

from app.domain.schedules import Window
from app.domain.states import (
    PlanStatus,
    StepStatus,
    allowed_changes,
    due_window,
    may,
    planned_state,
)

WINDOW = Window(date(2027, 3, 3), date(2027, 3, 5), date(2027, 3, 8))
DAY = date(2027, 3, 6)


def state(
    as_of: int,
    *,
    window: Window | None = WINDOW,
    step: StepStatus = StepStatus.PLANNED,
    plan: PlanStatus = PlanStatus.ACTIVE,
    day: date | None = DAY,
) -> str | None:
    return planned_state(window, day, step, plan, date(2027, 3, as_of))


@pytest.mark.parametrize(
    "as_of, expected",
    [(2, "upcoming"), (3, "due"), (8, "due"), (9, "overdue")],
)
def test_both_edges_of_the_window_are_due(as_of: int, expected: str) -> None:
    assert state(as_of) == expected


@pytest.mark.parametrize("as_of, expected", [(5, "upcoming"), (6, "due"), (7, "overdue")])
def test_a_step_without_timings_has_its_own_day_as_its_window(as_of: int, expected: str) -> None:
    assert state(as_of, window=None) == expected


def test_a_window_without_bounds_is_always_due() -> None:
    unbound = Window(None, DAY, None)

    assert {state(day, window=unbound) for day in (1, 6, 31)} == {"due"}


def test_nothing_is_overdue_while_its_plan_is_on_hold() -> None:
    assert state(9, plan=PlanStatus.ON_HOLD) == "due"
    assert state(2, plan=PlanStatus.ON_HOLD) == "upcoming"


@pytest.mark.parametrize(
    "day, expected",
    [(date(2027, 3, 2), "early"), (date(2027, 3, 8), "in_window"), (date(2027, 3, 9), "late")],
)
def test_what_is_done_is_judged_by_its_own_day(day: date, expected: str) -> None:
    assert state(31, step=StepStatus.PERFORMED, day=day) == expected


@pytest.mark.parametrize("status", ["skipped", "missed", "cancelled"])
def test_what_nobody_expects_any_more_has_no_state(status: str) -> None:
    assert state(9, step=StepStatus(status)) is None


def test_what_has_no_day_has_no_state() -> None:
    assert state(9, day=None) is None


@pytest.mark.parametrize("plan", [PlanStatus.COMPLETED, PlanStatus.REVOKED])
def test_what_is_undone_in_a_plan_that_ended_waits_for_nobody(plan: PlanStatus) -> None:
    assert {state(day, plan=plan) for day in (2, 6, 9)} == {None}
    assert state(9, plan=plan, step=StepStatus.PERFORMED) == "in_window"


@pytest.mark.parametrize("plan", [PlanStatus.DRAFT, PlanStatus.ACTIVE, PlanStatus.ON_HOLD])
@pytest.mark.parametrize("window", [None, WINDOW, Window(None, DAY, None)])
def test_a_step_is_due_on_the_days_of_its_due_window_and_on_no_other(
    window: Window | None, plan: PlanStatus
) -> None:
    days = due_window(window, DAY, plan)

    for day in range(1, 12):
        as_of = date(2027, 3, day)
        inside = (days.earliest or as_of) <= as_of <= (days.latest or as_of)
        assert (state(day, window=window, plan=plan) == "due") is inside


# -- what may be done


def changes(status: StepStatus, plan: PlanStatus = PlanStatus.ACTIVE, **said: bool) -> list[str]:
    """The changes which a step allows; it is no decision, its day has come, nobody pinned it."""
    facts = {"is_decision": False, "has_come": True, "is_pinned": False, "has_appointment": False}
    facts |= said
    return list(allowed_changes(plan, status, **facts))


def test_a_step_is_missed_once_its_day_has_come() -> None:
    assert "miss" in changes(StepStatus.PLANNED)
    assert "miss" not in changes(StepStatus.PLANNED, has_come=False)


def test_a_decision_is_decided_instead_of_performed() -> None:
    assert changes(StepStatus.PLANNED, is_decision=True)[0] == "decide"
    assert changes(StepStatus.PLANNED)[0] == "perform"


def test_only_what_is_pinned_is_unpinned() -> None:
    assert "unpin" in changes(StepStatus.PLANNED, is_pinned=True)
    assert "unpin" not in changes(StepStatus.PLANNED)


@pytest.mark.parametrize("plan", ["completed", "revoked", "entered_in_error"])
def test_nothing_is_done_to_the_steps_of_a_plan_that_is_over(plan: str) -> None:
    assert changes(StepStatus.PLANNED, PlanStatus(plan)) == []


def test_a_status_of_a_plan_never_becomes_one_of_a_step() -> None:
    assert may(PlanStatus.ACTIVE, PlanStatus.ON_HOLD)
    assert not may(PlanStatus.ACTIVE, StepStatus.PLANNED)
