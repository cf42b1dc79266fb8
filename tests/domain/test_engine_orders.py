"""Steps that may stand in any order: found without trying every order, or refused in time."""

import pytest

from app.domain.engine import PlanTooLarge, bookable_days, solve
from app.domain.engine.costs import Costs
from app.domain.engine.cut import FlowNetwork
from app.domain.engine.network import Network
from app.domain.engine.optimum import MAX_WORK, PRICES
from app.domain.engine.solutions import Question, best_solution
from app.domain.facts import OccurrenceId
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import Bounds, StepKind, StepReference, Timing
from app.domain.rules import MinGapOfKinds, NoOverlap, Rule, SameDay, StepSelector
from app.domain.schedules import Conflict, Schedule
from tests.domain.given_problems import SESSION_DAY, after, problem, step

NINE = 9


def apart(days: int, name: str = "apart") -> Rule:
    return MinGapOfKinds(id=name, kinds=frozenset({"visit"}), offset=Offset.of_days(days))


def alike(latest: int, *rules: Rule) -> Problem:
    """Nine visits in whatever order, the first the day after the session."""
    return problem(*(step(f"v{n}", after(1, 2, latest)) for n in range(NINE)), rules=rules)


def days_after(given: Problem) -> list[int]:
    """The days of the visits, counted from the session."""
    found = solve(given)
    assert isinstance(found, Schedule), found
    return [(one.day - SESSION_DAY).days for one in found.steps[1:] if one.day is not None]


@pytest.mark.parametrize(
    "rules",
    [(apart(2),), (apart(2), apart(1, "less"))],
    ids=["by one rule", "by two rules"],
)
def test_visits_that_could_change_places_are_dated_in_their_order(rules: tuple[Rule, ...]) -> None:
    assert days_after(alike(60, *rules)) == list(range(1, 18, 2))


def test_visits_bound_by_months_are_dated_in_their_order() -> None:
    month = Offset(months=1)
    bounds = Bounds(Offset.of_days(1), Offset.of_days(2), month)
    timings = (Timing(StepReference("session"), bounds),)
    given = problem(*(step(f"v{n}", timings) for n in range(NINE)), rules=(apart(2),))

    assert days_after(given) == list(range(1, 18, 2))


def test_windows_without_bounds_do_not_make_few_steps_too_many() -> None:
    first = step("v0", after(None, 0, None))
    at_v0 = after(-2, 3, 7, reference=StepReference("v0"))
    second = step("v1", at_v0, kind=StepKind.CALL)
    together = SameDay(id="together", steps=(StepSelector("v0"), StepSelector("v1")))
    kinds = frozenset({"visit", "procedure"})
    from_session = MinGapOfKinds(id="apart", kinds=kinds, offset=Offset.of_days(7))

    found = days_after(problem(first, second, rules=(together, from_session)))

    assert found == [7, 7]


def test_visits_that_differ_in_their_targets_are_dated_by_them() -> None:
    visits = (step(f"v{n}", after(1, 20 + n, 60)) for n in range(NINE))
    given = problem(*visits, rules=(apart(3),))

    found = days_after(given)

    assert found == sorted(found)
    assert found[-1] - found[0] == 3 * (NINE - 1)


def test_that_no_order_fits_is_found_without_trying_them_all() -> None:
    assert isinstance(solve(alike(16, apart(2))), Conflict)


def test_any_of_the_visits_could_have_any_day_of_theirs() -> None:
    given = alike(17, apart(2))

    found = bookable_days(given, OccurrenceId("v4"), SESSION_DAY, SESSION_DAY.replace(day=31))

    assert [(entry.day - SESSION_DAY).days for entry in found] == list(range(1, 18, 2))


def test_spans_that_may_not_overlap_are_dated_in_an_order_though_they_differ_in_length() -> None:
    spans = (
        step(f"s{n}", after(1, 2, 12), span=Offset.of_days(1 + n), any_day=True) for n in range(3)
    )
    steps = tuple(StepSelector(f"s{n}") for n in range(3))
    given = problem(*spans, rules=(NoOverlap(id="one-by-one", steps=steps),))

    assert days_after(given) == [1, 3, 6]


@pytest.mark.parametrize(
    "latest, day",
    [pytest.param(2, 1, id="in any order"), pytest.param(5, 2, id="with one of them held")],
)
def test_days_which_no_order_gives_have_no_best(latest: int, day: int) -> None:
    given = problem(*(step(f"v{n}", after(1, 2, latest)) for n in range(3)), rules=(apart(2),))
    (compilation,) = Question(given).networks()
    first = SESSION_DAY.toordinal() + day - compilation.frame.base
    net = compilation.net.within(compilation.expansion.by_id[OccurrenceId("v0")], first, first)

    assert net is not None
    assert best_solution(compilation, net) is None


def unlike(number: int, latest: int) -> Problem:
    """Visits in whatever order, each with a window and an importance of its own."""
    visits = (step(f"v{n}", after(1, 9, latest + n), importance=1 + n) for n in range(number))
    return problem(*visits, rules=(apart(4),))


@pytest.mark.parametrize(
    "given",
    [pytest.param(unlike(12, 30), id="no order"), pytest.param(unlike(12, 80), id="every order")],
)
def test_more_orders_than_the_engine_compares_are_refused(given: Problem) -> None:
    with pytest.raises(PlanTooLarge, match="could stand in either order"):
        solve(given)


def test_what_the_search_for_the_best_order_may_cost_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cutting, pricing, work = FlowNetwork.least_source_side, Costs.unary, [0]

    def cut(self: FlowNetwork, most: int) -> list[bool] | None:
        found = cutting(self, most)
        work[0] += self.work
        return found

    def price(self: Costs, net: Network, index: int, day: int) -> int:
        work[0] += PRICES // 2
        return pricing(self, net, index, day)

    monkeypatch.setattr(FlowNetwork, "least_source_side", cut)
    monkeypatch.setattr(Costs, "unary", price)

    with pytest.raises(PlanTooLarge):
        solve(unlike(12, 80))

    assert MAX_WORK / 2 < work[0] < 1.1 * MAX_WORK
