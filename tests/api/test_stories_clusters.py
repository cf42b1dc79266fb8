"""Story 12 through HTTP: the three parts of a knee week move as a block until the first is done."""

from app.domain.documents import document_to_data
from app.services.library import library_protocol
from tests.api.given_changes import Living, did, have_protocol, living, moved
from tests.api.given_plans import Desk

KNEE = "knee-bmac-three-part"
PARTS = ("pre_injection", "marrow_day", "post_injection")


async def knee_week(desk: Desk) -> Living:
    """The marrow day on Tuesday 8 June, its parts on the 3rd and the 10th."""
    await have_protocol(desk, document_to_data(library_protocol(KNEE)))
    plan = await living(
        desk,
        protocol={"key": KNEE},
        location_id=await desk.location(open_weekdays=[1, 2, 3, 4, 5]),
        anchor={"date": "2027-06-08"},
        parameters=...,
        unavailable=[],
    )
    assert parts(plan) == ["2027-06-03", "2027-06-08", "2027-06-10"]
    return plan


def parts(plan: Living) -> list[str | None]:
    """The days of the three parts."""
    return [plan.days[part] for part in PARTS]


async def test_who_moves_the_marrow_day_moves_its_parts_with_it(desk: Desk) -> None:
    plan = await knee_week(desk)

    # On the 9th both parts could stay where they are: they would not, as a block.
    answer = await plan.change({"type": "move", "step": "marrow_day", "to": "2027-06-09"})

    assert parts(plan) == ["2027-06-04", "2027-06-09", "2027-06-11"]
    assert {part: moved(answer)[part] for part in PARTS} == {
        "pre_injection": ("2027-06-03", "2027-06-04"),
        "marrow_day": ("2027-06-08", "2027-06-09"),
        "post_injection": ("2027-06-10", "2027-06-11"),
    }


async def test_once_the_first_part_is_done_each_keeps_to_its_own_timing(desk: Desk) -> None:
    plan = await knee_week(desk)
    await plan.on("2027-06-03")
    await plan.change(*did(pre_injection="2027-06-03"))

    answer = await plan.change({"type": "move", "step": "marrow_day", "to": "2027-06-09"})

    assert parts(plan) == ["2027-06-03", "2027-06-09", "2027-06-10"]
    assert "post_injection" not in moved(answer)
