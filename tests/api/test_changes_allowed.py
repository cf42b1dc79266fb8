"""What a plan says may be posted for a step is what is taken, and nothing else."""

from tests.api.given_changes import Living, did, hours, living
from tests.api.given_plans import Data, Desk

TODAY = "2027-02-25"
OF_STEPS = (
    "perform",
    "decide",
    "miss",
    "move",
    "pin",
    "unpin",
    "book",
    "arrive",
    "unbook",
    "skip",
    "cancel",
    "restore",
)
# One of every status, with what makes a difference beside it.
DIFFERENT = (
    "consult",
    "baseline_outcomes",
    "call_day3",
    "orthotic_check",
    "followup_2w",
    "session",
    "booster_decision",
    "booster",
)


def a_change(type_: str, step: Data) -> Data:
    """A change of a step that is right as far as its own members go."""
    day = step["date"] or "2027-04-14"
    past, future = min(day, TODAY), max(day, TODAY)
    members: Data = {
        "perform": {"on": past},
        "decide": {"choice": "booster_six_weeks"},
        "miss": {"on": past},
        "move": {"to": future},
        "pin": {"to": future},
        "book": hours(future),
    }
    return {"type": type_, "step_id": step["id"], **members.get(type_, {})}


async def on_the_way(desk: Desk) -> Living:
    """A plan with steps of every status."""
    plan = await living(desk)
    await plan.on(TODAY)
    await plan.change(
        *did(consult="2027-01-13", primer__2="2027-02-02", orthotic_impression="2027-02-03"),
        *did(primer__1="2027-02-23"),
        {"type": "miss", "step": "baseline_outcomes", "on": "2027-02-24"},
        {"type": "skip", "step": "call_day3"},
        {"type": "cancel", "step": "orthotic_check"},
        {"type": "pin", "step": "followup_2w", "to": "2027-03-24"},
        {"type": "book", "step": "session", **hours("2027-03-10")},
    )
    return plan


async def test_a_change_is_taken_where_it_is_allowed(desk: Desk) -> None:
    plan = await on_the_way(desk)

    for name in DIFFERENT:
        step = plan.steps[name]
        for type_ in OF_STEPS:
            answer = await plan.preview(a_change(type_, step))

            # A conflict is about days, not about what may be done to the step.
            taken = answer.status_code in {200, 409}
            # A decision is noted as performed where it was taken elsewhere.
            if (type_, name) != ("perform", "booster_decision"):
                assert taken == (type_ in step["allowed_changes"]), (name, type_, answer.text)


async def test_nobody_misses_what_has_not_come_yet(desk: Desk) -> None:
    plan = await living(desk)

    assert "miss" not in plan.steps["session"]["allowed_changes"]
    await plan.on("2027-03-10")
    assert "miss" in plan.steps["session"]["allowed_changes"]


async def test_what_is_pinned_can_be_unpinned(desk: Desk) -> None:
    plan = await living(desk)

    await plan.change({"type": "pin", "step": "followup_2w", "to": "2027-03-24"})

    assert "unpin" in plan.steps["followup_2w"]["allowed_changes"]
    await plan.change({"type": "unpin", "step": "followup_2w"})
    assert "unpin" not in plan.steps["followup_2w"]["allowed_changes"]
