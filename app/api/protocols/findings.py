"""The shapes of what is found out about protocols: differences, faults, failing start days."""

from typing import Literal

from pydantic import ConfigDict, Field

from app.api.fields import Day, Out
from app.api.problem_model import FaultOut
from app.api.protocols.models import FigureOut
from app.domain.checks import Difference, StartDays
from app.domain.documents.figures import to_confirm
from app.domain.errors import Fault
from app.services.protocols import CheckResult


class DifferenceOut(Out):
    """One difference between two versions."""

    kind: Literal["added", "removed", "changed"] = Field(description="What happened to it.")
    part: Literal["protocol", "step", "rule", "parameter", "source"] = Field(
        description="The kind of thing that differs."
    )
    key: str | None = Field(description="Which step, rule, parameter or source.")
    field: str | None = Field(description="Which field of it; null where it is wholly new or gone.")
    old: str | int | bool | None = Field(description="What the first version says.")
    new: str | int | bool | None = Field(description="What the second version says.")
    text: str = Field(description="The difference in words.")

    @classmethod
    def from_domain(cls, difference: Difference) -> "DifferenceOut":
        """The difference as clients see it."""
        return cls(
            kind=difference.kind.value,
            part=difference.part,
            key=difference.key,
            field=difference.field,
            old=difference.old,
            new=difference.new,
            text=difference.text,
        )


class DifferencesOut(Out):
    """What differs from one version to another."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "differences": [
                        {
                            "kind": "changed",
                            "part": "step",
                            "key": "primer",
                            "field": "timings.1.target",
                            "old": "-P21D",
                            "new": "-P28D",
                            "text": "step 'primer': timings 1 target is 28 days before "
                            "instead of 21 days before",
                        }
                    ]
                }
            ]
        }
    )

    differences: list[DifferenceOut] = Field(description="By part, in the order of the documents.")


class FailingOut(Out):
    """Start days on which no schedule exists."""

    failing: int = Field(description="How many fail.")
    tried: int = Field(description="How many were tried.")


class FailingReasonOut(Out):
    """Start days that fail for the same reasons."""

    elements: list[str] = Field(description="The elements of their conflict.")
    text: str = Field(description="The conflict in words.")
    days: int = Field(description="How many start days.")
    percent: int = Field(description="Their share of all start days.")
    first_day: Day = Field(description="The first of them.")


class StartDaysOut(Out):
    """What came of trying every start day of a year."""

    first_day: Day = Field(description="The first day of the year that was tried.")
    tried: int = Field(description="How many start days were tried.")
    closed: int = Field(description="Days left out, as the anchor cannot take place on them.")
    failing: int = Field(description="How many have no schedule.")
    percent: int = Field(description="Their share.")
    text: str = Field(description="The result in one sentence.")
    reasons: list[FailingReasonOut] = Field(description="Why they fail, the most frequent first.")
    by_weekday: list[FailingOut] = Field(description="By weekday, from Monday.")
    by_month: list[FailingOut] = Field(description="By month, from January.")

    @classmethod
    def from_domain(cls, found: StartDays) -> "StartDaysOut":
        """The result as clients see it."""
        return cls(
            first_day=found.first_day,
            tried=found.tried,
            closed=found.closed,
            failing=found.failing,
            percent=found.percent,
            text=found.text,
            reasons=[
                FailingReasonOut(
                    elements=list(reason.elements),
                    text=reason.text,
                    days=reason.days,
                    percent=reason.percent,
                    first_day=reason.first_day,
                )
                for reason in found.reasons
            ],
            by_weekday=[FailingOut(failing=bad, tried=all_) for bad, all_ in found.by_weekday],
            by_month=[FailingOut(failing=bad, tried=all_) for bad, all_ in found.by_month],
        )


class CheckOut(Out):
    """What a check of a protocol found; without faults it can be stored."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "faults": [
                        {
                            "pointer": "/steps/1/timings/0/target",
                            "code": "target-outside-window",
                            "detail": "the target (3 weeks after) lies after the latest day "
                            "(2 weeks after)",
                        }
                    ],
                    "warnings": [],
                    "to_confirm": [],
                    "start_days": None,
                }
            ]
        }
    )

    faults: list[FaultOut] = Field(description="Everything for which it would be refused.")
    warnings: list[FaultOut] = Field(description="What a person should look at.")
    to_confirm: list[FigureOut] = Field(description="Defaults that an approval must confirm.")
    start_days: StartDaysOut | None = Field(
        description="How many start days of a year work; null while there are faults."
    )

    @classmethod
    def from_domain(cls, found: CheckResult) -> "CheckOut":
        """The result as clients see it."""
        checked, days = found.checked, found.start_days
        document = checked.document
        return cls(
            faults=_faults(checked.faults),
            warnings=_faults(checked.warnings),
            to_confirm=[FigureOut.from_domain(f) for f in to_confirm(document)] if document else [],
            start_days=None if days is None else StartDaysOut.from_domain(days),
        )


def _faults(faults: tuple[Fault, ...]) -> list[FaultOut]:
    return [FaultOut(pointer=fault.pointer, code=fault.code, detail=fault.text) for fault in faults]
