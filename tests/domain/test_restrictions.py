"""Restrictions of all plans of a patient, as one bar for each subject."""

from datetime import date

from app.domain.restrictions import RestrictionSpan, merged_restrictions


def span(first: int, last: int, subject: str = "nsaid", plan: str = "ankle") -> RestrictionSpan:
    """A restriction from one day of March 2027 to another."""
    return RestrictionSpan(subject, date(2027, 3, first), date(2027, 3, last), plan, "no nsaid")


def test_spans_that_overlap_or_touch_are_one() -> None:
    long, inside, next_day = span(1, 10), span(3, 5, plan="knee"), span(11, 12, plan="knee")

    (merged,) = merged_restrictions([next_day, inside, long])

    assert (merged.first, merged.last, merged.days) == (date(2027, 3, 1), date(2027, 3, 12), 12)
    assert merged.spans == (long, inside, next_day)
    assert merged.attention == "12 days without a break; the longest of its 3 is 10"


def test_what_lies_within_another_makes_it_no_longer() -> None:
    (merged,) = merged_restrictions([span(1, 10), span(3, 5, plan="knee")])

    assert merged.attention is None


def test_a_free_day_between_spans_keeps_them_apart() -> None:
    merged = merged_restrictions([span(12, 14), span(1, 10)])

    assert [(one.first.day, one.last.day) for one in merged] == [(1, 10), (12, 14)]


def test_subjects_are_never_mixed() -> None:
    merged = merged_restrictions([span(1, 10), span(5, 8, subject="running")])

    assert [one.subject for one in merged] == ["nsaid", "running"]
