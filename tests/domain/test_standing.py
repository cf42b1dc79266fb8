"""What is wrong with the days a plan has now, moving none of them."""

from datetime import date

from app.domain.calendars import Absence, Calendar, Closure
from app.domain.engine import standing_breaches
from app.domain.facts import OccurrenceId, Performed, Waiver
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.rules import (
    Cluster,
    MaxGap,
    MinGap,
    MinGapBetween,
    NoOverlap,
    OrderRule,
    Rule,
    SameDay,
    Severity,
    StepSelector,
)
from tests.domain.given_problems import SESSION, SESSION_DAY, after, kept, problem, step

S, C = StepSelector("session"), StepSelector("check")
CHECK_DAY = date(2027, 3, 17)


def standing(*rules: Rule, check: date = CHECK_DAY, **members: object) -> dict[str, str]:
    """The breaches, by their ids, of a session on 10 March and a check on another day."""
    given = _plan(*rules, check=check, **members)
    return {breach.id: breach.text for breach in standing_breaches(given)}


def _plan(*rules: Rule, check: date, **members: object) -> Problem:
    days = (kept("session", SESSION_DAY), kept("check", check))
    return problem(step("check", after(1, 7, 60)), rules=rules, kept=days, **members)


def test_days_that_break_nothing_have_no_breach() -> None:
    rules = (
        MinGap(id="later", begin=S, end=C, offset=Offset.of_days(7)),
        MaxGap(id="soon", begin=S, end=C, offset=Offset.of_days(7)),
        MinGapBetween(id="apart", one=S, other=C, offset=Offset.of_days(7)),
        OrderRule(id="order", before=S, after=C),
        NoOverlap(id="spans", steps=(S, C)),
        Cluster(id="block", steps=(S, C)),
    )

    assert standing(*rules) == {}


def test_every_rule_that_does_not_hold_is_said_with_its_days() -> None:
    rules = (
        MinGap(id="later", begin=S, end=C, offset=Offset.of_days(8)),
        MaxGap(id="soon", begin=S, end=C, offset=Offset.of_days(6)),
        MinGapBetween(id="apart", one=C, other=S, offset=Offset.of_days(8)),
        OrderRule(id="order", before=C, after=S),
        SameDay(id="same", steps=(S, C)),
    )

    found = standing(*rules)

    check, session = "check on Wed 2027-03-17", "session on Wed 2027-03-10"
    assert found == {
        "apart:check:session": f"{check} is 7 days after {session}, less than 8 days",
        "later:session:check": f"{check} is not yet 8 days after {session}",
        "order:check:session": f"{check} is not before {session}",
        "same:session:check": "session and check are not on one day",
        "soon:session:check": f"{check} is 7 days after {session}, more than 6 days",
    }


def test_a_span_that_begins_before_another_has_ended_is_said() -> None:
    block = step("block", after(0, 0, 9), span=Offset.of_days(6), any_day=True)
    other = step("other", after(0, 3, 9), span=Offset.of_days(2), any_day=True)
    rule = NoOverlap(id="spans", steps=(StepSelector("block"), StepSelector("other")))
    days = (kept("session", SESSION_DAY), kept("block", SESSION_DAY), kept("other", CHECK_DAY))

    touching = problem(block, other, rules=(rule,), kept=(*days[:2], kept("other", CHECK_DAY)))
    crossing = problem(
        block, other, rules=(rule,), kept=(*days[:2], kept("other", date(2027, 3, 16)))
    )

    assert standing_breaches(touching) == ()
    (breach,) = standing_breaches(crossing)
    assert breach.text == (
        "other begins on Tue 2027-03-16, before block has ended on Tue 2027-03-16"
    )


def test_a_rule_that_was_waived_is_not_held_against_the_days() -> None:
    rule = SameDay(id="same", steps=(S, C))

    assert standing(rule, waivers=(Waiver("rule:same"),)) == {}


def test_closed_days_are_said_but_neither_what_is_past_nor_what_was_done() -> None:
    closures = (Closure("works", CHECK_DAY, CHECK_DAY, "Painting"),)
    calendar = Calendar(frozenset(range(1, 6)), closures)
    away = (Absence("trip", date(2027, 3, 10), date(2027, 3, 10), frozenset({"session"})),)

    found = standing(calendar=calendar, absences=away)
    weekend = standing(calendar=calendar, check=date(2027, 3, 20))
    later = standing(calendar=calendar, absences=away, as_of=date(2027, 3, 18))
    done = standing(
        calendar=calendar,
        as_of=CHECK_DAY,
        performed=(
            Performed(SESSION, SESSION_DAY),
            Performed(OccurrenceId("check"), CHECK_DAY),
        ),
    )

    assert found == {
        "unavailable:trip:session": (
            "session on Wed 2027-03-10: someone needed is away on 2027-03-10"
        ),
        "closure:works:check": (
            "check on Wed 2027-03-17: the location is closed on Wed 2027-03-17 (Painting)"
        ),
    }
    assert list(weekend) == ["weekdays:check"]
    assert (later, done) == ({}, {})


def test_a_day_of_something_the_protocol_no_longer_has_breaks_nothing() -> None:
    given = problem(kept=(kept("session", SESSION_DAY), kept("gone", CHECK_DAY)))

    assert standing_breaches(given) == ()


def test_a_breach_says_how_severe_it_is_and_whom_it_concerns() -> None:
    rule = SameDay(id="same", steps=(S, C), severity=Severity.REVIEW)

    (breach,) = standing_breaches(_plan(rule, check=CHECK_DAY))

    assert (breach.rule, breach.severity) == ("same", Severity.REVIEW)
    assert breach.occurrences == (SESSION, OccurrenceId("check"))
