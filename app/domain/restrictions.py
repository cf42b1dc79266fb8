"""Restriction spans of all plans of a patient, merged: what a patient sees as one bar."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class RestrictionSpan:
    """One restriction of one plan, both days included; ``step`` names it for people."""

    subject: str
    first: date
    last: date
    plan: str
    step: str


@dataclass(frozen=True, slots=True)
class MergedRestriction:
    """Spans of one subject which touch or overlap, as one; ``days`` counts both ends."""

    subject: str
    first: date
    last: date
    spans: tuple[RestrictionSpan, ...]

    @property
    def days(self) -> int:
        """How long it lasts."""
        return (self.last - self.first).days + 1

    @property
    def attention(self) -> str | None:
        """What a clinician should see: together they last longer than any of them was meant to."""
        longest = max((span.last - span.first).days + 1 for span in self.spans)
        if self.days <= longest:
            return None
        return (
            f"{self.days} days without a break; the longest of its {len(self.spans)} is {longest}"
        )


def merged_restrictions(spans: Iterable[RestrictionSpan]) -> tuple[MergedRestriction, ...]:
    """Union of the spans of each subject (an agent, or a restriction's own name), by first day.

    A span that begins the day after another ends is joined to it.
    """
    merged: list[MergedRestriction] = []
    open_: dict[str, int] = {}
    for span in sorted(spans, key=lambda s: (s.first, s.last, s.subject, s.plan, s.step)):
        place = open_.get(span.subject)
        if place is not None and span.first <= merged[place].last + timedelta(days=1):
            before = merged[place]
            merged[place] = MergedRestriction(
                span.subject,
                before.first,
                max(before.last, span.last),
                (*before.spans, span),
            )
            continue
        open_[span.subject] = len(merged)
        merged.append(MergedRestriction(span.subject, span.first, span.last, (span,)))
    return tuple(merged)
