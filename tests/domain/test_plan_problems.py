"""The question a plan puts to the engine, and what is kept of plans as plain data."""

from dataclasses import replace
from datetime import date

from app.domain.calendars import EVERY_DAY, Absence
from app.domain.facts import Anchor, Kept, Missed, OccurrenceId, Pinned, Skipped
from app.domain.offsets import Offset
from app.domain.plans.records import absence_from_data, absence_to_data, move_to_data
from app.domain.plans.state import PlanState, Surroundings, problem_of
from app.domain.problem import Problem
from app.domain.protocols import Protocol
from app.domain.rules import MinGapOfKinds, Rule
from app.domain.schedules import Move, Reason
from tests.domain.given_problems import SESSION, SESSION_DAY, after, kept, step

CHECK, TODAY = OccurrenceId("check"), date(2027, 3, 1)
STATE = PlanState(anchor=Anchor(SESSION, SESSION_DAY))
OWN = MinGapOfKinds(id="gap", kinds=frozenset({"injection"}), offset=Offset.of_days(14))
PROTOCOL = Protocol(
    (step("session"), step("check", after(5, 7, 9))), anchor="session", rules=(OWN,)
)


def asked(state: PlanState, *days: Kept, rules: tuple[Rule, ...] = ()) -> Problem:
    """The problem of a plan with these days given out, in a clinic of these rules."""
    around = Surroundings(EVERY_DAY, clinic_rules=rules)
    return problem_of(state, PROTOCOL, around, as_of=TODAY, kept=days)


def test_a_rule_of_the_clinic_gives_way_to_one_of_the_protocol() -> None:
    other, longer = replace(OWN, id="other"), replace(OWN, offset=Offset.of_days(28))

    assert asked(STATE, rules=(longer, other)).protocol.rules == (OWN, other)
    assert asked(STATE, rules=(longer,)).protocol is PROTOCOL


def test_the_days_of_what_was_left_out_are_kept_no_more() -> None:
    days = (kept("session", SESSION_DAY), kept("check", date(2027, 3, 17)))

    skipped = asked(replace(STATE, skipped=(Skipped(CHECK),)), *days)
    cancelled = asked(replace(STATE, cancelled=(Skipped(CHECK),)), *days)

    assert skipped.kept == cancelled.kept == days[:1]
    assert skipped.skipped == cancelled.skipped == (Skipped(CHECK),)


def test_a_day_binds_most_while_it_is_the_one_a_person_chose() -> None:
    chosen = replace(STATE, moved={CHECK: date(2027, 3, 18)})

    (here,) = asked(chosen, kept("check", date(2027, 3, 18))).kept
    (elsewhere,) = asked(chosen, kept("check", date(2027, 3, 17))).kept

    assert (here.by_hand, elsewhere.by_hand) == (True, False)


def test_a_missed_step_is_placed_later_until_it_has_a_day_again() -> None:
    twice = (Missed(CHECK, date(2027, 2, 20)), Missed(CHECK, date(2027, 2, 27)))
    missed = replace(STATE, missed=twice)

    assert asked(missed).missed == twice[1:]
    assert asked(missed, kept("check", date(2027, 3, 17))).missed == ()
    assert asked(replace(missed, pinned=(Pinned(CHECK, date(2027, 3, 17)),))).missed == ()
    assert asked(replace(missed, skipped=(Skipped(CHECK),))).missed == ()


def test_an_absence_is_read_back_as_it_was_kept() -> None:
    for absence in (
        Absence("trip", TODAY, SESSION_DAY, title="Holiday"),
        Absence("nurse", TODAY, TODAY, frozenset({"check", "session"})),
    ):
        assert absence_from_data(absence_to_data(absence)) == absence


def test_a_move_names_its_step_both_days_and_its_reasons() -> None:
    reasons = (Reason("weekday", "it is closed", "weekdays"), Reason("nearest", "it works"))

    moved = move_to_data(Move(CHECK, TODAY, None, reasons), "an id")

    assert moved == {
        "step_id": "an id",
        "step": "check",
        "from": "2027-03-01",
        "to": None,
        "reasons": [
            {"code": "weekday", "text": "it is closed", "rule": "weekdays"},
            {"code": "nearest", "text": "it works"},
        ],
    }
