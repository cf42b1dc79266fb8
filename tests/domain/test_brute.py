"""The brute force itself is right: it agrees with every vector, and knows all their conflicts."""

from datetime import date

import pytest

from app.domain.facts import OccurrenceId
from tests.domain.brute import Answer, days_by_trial, every_conflict, solve_by_trial
from tests.domain.given_vectors import Given, problem_of, vectors

CASES = [*vectors("engine"), *vectors("scenarios")]
POSSIBLE = [case for case in CASES if "dates" in case["expect"]]
IMPOSSIBLE = [case for case in CASES if "conflict" in case["expect"]]


def _id(case: Given) -> str:
    return str(case["id"])


def _solved(case: Given) -> Answer:
    found = solve_by_trial(problem_of(case["given"]))
    assert found is not None
    return found


@pytest.mark.parametrize("case", POSSIBLE, ids=_id)
def test_trying_days_finds_the_vectors_schedule(case: Given) -> None:
    found = _solved(case)

    dates = {str(key): day and day.isoformat() for key, day in found.days.items()}
    assert dates == case["expect"]["dates"]


@pytest.mark.parametrize("case", POSSIBLE, ids=_id)
def test_trying_days_finds_the_vectors_windows(case: Given) -> None:
    found = _solved(case)

    windows = {
        str(key): {
            name: day and day.isoformat()
            for name, day in zip(("earliest", "target", "latest"), window, strict=True)
        }
        for key, window in found.windows.items()
    }
    assert windows == case["expect"]["windows"]


@pytest.mark.parametrize("case", [c for c in POSSIBLE if "moves" in c["expect"]], ids=_id)
def test_trying_days_finds_the_vectors_moves(case: Given) -> None:
    found = _solved(case)

    moves = {str(key): (old.isoformat(), str(new)) for key, (old, new) in found.moves.items()}
    assert moves == {move["step"]: (move["from"], move["to"]) for move in case["expect"]["moves"]}


@pytest.mark.parametrize("case", [c for c in POSSIBLE if "bookable" in c["expect"]], ids=_id)
def test_trying_days_finds_the_vectors_bookable_days(case: Given) -> None:
    problem = problem_of(case["given"])

    for occurrence, asked in case["expect"]["bookable"].items():
        first, last = date.fromisoformat(asked["from"]), date.fromisoformat(asked["to"])
        days = days_by_trial(problem, OccurrenceId.parse(occurrence), first, last)
        assert [day.isoformat() for day in days] == asked["days"]


@pytest.mark.parametrize("case", IMPOSSIBLE, ids=_id)
def test_leaving_out_elements_finds_exactly_the_vectors_conflicts(case: Given) -> None:
    found = every_conflict(problem_of(case["given"]))

    assert found == {frozenset(elements) for elements in case["expect"]["conflict"]}
