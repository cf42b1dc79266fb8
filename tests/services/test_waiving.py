"""Who may decide and waive is asked of the caller's role, and of whom a rule names."""

import pytest

from app.domain.calendars import EVERY_DAY
from app.domain.facts import OtherPlan
from app.domain.offsets import Offset
from app.domain.permissions import GRANTS, NOTHING, UNRESTRICTED, Grant, NotPermitted, Role
from app.domain.plans.changes import Change, Decide, SetParameter, Waive
from app.domain.plans.state import Surroundings
from app.domain.protocols import Protocol
from app.domain.rules import MinGapOfKinds
from app.services.plans.waiving import refuse_unpermitted, rules_known

RULES = (
    MinGapOfKinds(id="plain", kinds=frozenset({"injection"}), offset=Offset.parse("P14D")),
    MinGapOfKinds(
        id="nurses", kinds=frozenset({"visit"}), offset=Offset.parse("P1D"), waiver_role="nurse"
    ),
)
DECISION = Decide("booster_decision", "six_weeks")


def waiver(element: str) -> Waive:
    """An element set aside."""
    return Waive(element, None, "asked for")


@pytest.mark.parametrize(
    "grant, change",
    [
        (GRANTS[Role.CLINICIAN], DECISION),
        (GRANTS[Role.APPROVER], DECISION),
        (UNRESTRICTED, DECISION),
        (GRANTS[Role.CLINICIAN], waiver("rule:plain")),
        (GRANTS[Role.CLINICIAN], waiver("timing:primer/1.latest")),
        (GRANTS[Role.APPROVER], waiver("rule:nurses")),
        (GRANTS[Role.APPROVER], waiver("closure:2027-04-19")),
        (UNRESTRICTED, waiver("closure:2027-04-19")),
        (NOTHING, SetParameter("primer_count", 1)),
    ],
)
def test_who_may_is_let(grant: Grant, change: Change) -> None:
    refuse_unpermitted(grant, [change], RULES)


@pytest.mark.parametrize(
    "grant, change, text",
    [
        (GRANTS[Role.FRONT_DESK], DECISION, "only a clinician may take a decision"),
        (GRANTS[Role.INTEGRATION], DECISION, "only a clinician"),
        (GRANTS[Role.FRONT_DESK], waiver("rule:plain"), "only the role physician"),
        (GRANTS[Role.FRONT_DESK], waiver("timing:primer/1.latest"), "only the role physician"),
        (GRANTS[Role.CLINICIAN], waiver("rule:nurses"), "only the role nurse"),
        (GRANTS[Role.CLINICIAN], waiver("closure:2027-04-19"), "only the role manager"),
        (NOTHING, waiver("rule:unknown"), "only the role physician"),
    ],
)
def test_who_may_not_is_refused(grant: Grant, change: Change, text: str) -> None:
    with pytest.raises(NotPermitted, match=text):
        refuse_unpermitted(grant, [SetParameter("primer_count", 1), change], RULES)


def test_a_rule_of_another_plan_is_set_aside_by_whom_it_names_there() -> None:
    other = OtherPlan("other", (), rules=RULES)
    around = Surroundings(EVERY_DAY, clinic_rules=RULES[:1], other_plans=(other,))

    known = {rule.id: rule.waiver_role for rule in rules_known(Protocol(steps=()), around)}

    assert known == {"plain": None, "other/plain": None, "other/nurses": "nurse"}
