"""The table of statuses and how problems are told and documented."""

import json
from typing import Any

from app.api.problems import KINDS, MEDIA_TYPE, kind_of, merged, problem_response, problems
from app.domain.errors import DomainError, Fault, Faults


class Parent(DomainError):
    """An error that is in no table."""


def test_an_error_that_is_not_in_the_table_is_answered_as_its_parent() -> None:
    assert kind_of(Parent) is KINDS[DomainError]


def test_two_errors_of_one_status_are_both_documented() -> None:
    first, second, *_ = (error for error, kind in KINDS.items() if kind.status == 404)

    examples = problems(first, second)[404]["content"][MEDIA_TYPE]["examples"]

    assert set(examples) == {KINDS[first].slug, KINDS[second].slug}


def test_responses_that_are_joined_lose_nothing() -> None:
    first, second, *_ = (error for error, kind in KINDS.items() if kind.status == 404)
    conflict = next(error for error, kind in KINDS.items() if kind.status == 409)
    known: dict[int | str, dict[str, Any]] = {
        200: {"description": "It was known."},
        404: {"description": "A page."},
    }

    joined = merged(problems(first), problems(second, conflict) | known)

    assert set(joined) == {200, 404, 409}
    assert joined[404]["description"] == "A page."
    again = merged(problems(first), problems(second))
    assert len(again[404]["content"][MEDIA_TYPE]["examples"]) == 2
    assert len(again[404]["content"][MEDIA_TYPE]["schema"]["anyOf"]) == 1


def test_every_error_of_the_table_says_what_it_means() -> None:
    for error, kind in KINDS.items():
        assert error.__doc__, error
        assert 400 <= kind.status < 600
        assert not kind.title.endswith(".")


def test_faults_are_told_up_to_sixteen_kibibytes() -> None:
    faults = Faults(tuple(Fault(f"/{n}" * 200, "code", "x" * 800) for n in range(20)))

    answer = problem_response(faults)

    assert len(answer.body) <= 16 * 1024
    assert 0 < len(json.loads(bytes(answer.body))["errors"]) < 20


def test_an_error_without_words_has_no_detail() -> None:
    assert "detail" not in json.loads(bytes(problem_response(Parent()).body))
