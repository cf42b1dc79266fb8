"""A plan can be looked at: a picture with a row for each step, its window and its day."""

from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from app.api import docs
from tests.api.given_access import listed
from tests.api.given_changes import AWAY, did, living
from tests.api.given_plans import Data, Desk, store_protocol
from tests.api.given_protocols import SMALL, visit
from tests.client import Answer

SVG = "{http://www.w3.org/2000/svg}"
SHOWN = Path(docs.__file__).with_name("guide") / "plan.svg"


async def drawn(desk: Desk, plan: Data, **headers: str) -> Answer:
    """The picture of a plan as it is answered."""
    return await desk.api.get(f"/v1/plans/{plan['id']}/timeline", headers=headers)


async def rows(desk: Desk, plan: Data) -> list[Element]:
    """The rows of a plan's picture."""
    answer = await drawn(desk, plan)
    assert answer.status_code == 200, answer.text
    return list(fromstring(answer.text).iter(f"{SVG}g"))


def told(row: Element) -> str:
    """What is said where a pointer rests on a row."""
    return row.findtext(f"{SVG}title", "")


def written(row: Element) -> list[str | None]:
    """The words in a row."""
    return [part.text for part in row.iter(f"{SVG}text")]


def marks(row: Element) -> list[str]:
    """What is drawn in a row beside its words."""
    return [one.attrib["class"] for one in row if one.tag not in {f"{SVG}text", f"{SVG}title"}]


async def test_each_step_has_a_row_in_the_order_of_their_days(desk: Desk) -> None:
    plan = await desk.plan(unavailable=AWAY)

    found = await rows(desk, plan)

    steps = sorted(plan["steps"], key=lambda step: str(step["date"]))
    for row, step in zip(found, steps, strict=True):
        assert step["date"] in told(row)
        assert all(reason["text"] in told(row) for reason in step["reasons"])
    (primer,) = [row for row in found if "primer, 2 of 2" in told(row)]
    assert written(primer) == ["Dextrose prolotherapy primer, 2 of 2", "Tue 23 Feb"]
    assert marks(primer) == ["window", "target", "day"]


async def test_days_lie_in_their_order_within_the_picture(desk: Desk) -> None:
    found = await rows(desk, await desk.plan())

    days = [float(dot.attrib["cx"]) for row in found for dot in row.iter(f"{SVG}circle")]
    assert days == sorted(days)
    assert 446 < days[0] < days[-1] < 1100


async def test_what_became_of_a_step_is_seen(desk: Desk) -> None:
    plan = await living(desk)
    await plan.on("2027-03-01")
    await plan.change(*did(primer__2="2027-02-02"), {"type": "skip", "step": "orthotic_impression"})
    start = {"starts_at": "2027-03-10T16:00:00Z", "ends_at": "2027-03-10T17:00:00Z"}
    await plan.change({"type": "book", "step": "session", **start})

    seen = {told(row).split(": ")[0]: marks(row) for row in await rows(desk, plan.plan)}

    titles = {name: step["title"] for name, step in plan.steps.items()}
    assert seen["Dextrose prolotherapy primer, 1 of 2"][-1] == "day done"
    assert seen["Dextrose prolotherapy primer, 2 of 2"][-1] == "day overdue"
    assert seen[titles["orthotic_impression"]] == []
    assert seen[titles["session"]][-1] == "day booked"
    assert seen[titles["booster"]][-1] == "day tentative"
    assert seen[titles["nsaid_free"]] == ["window", "target", "span", "day"]


async def test_a_step_without_a_day_and_one_that_is_flagged_are_told_apart(desk: Desk) -> None:
    plan = await living(desk)
    await desk.closure("2027-03-10", "2027-03-10")
    flagged = [row for row in await rows(desk, plan.plan) if "flag" in marks(row)]
    await plan.change({"type": "move_anchor", "to": None})
    undated = [row for row in await rows(desk, plan.plan) if "no day yet" in written(row)]

    assert [written(row)[1] for row in flagged] == ["Wed 10 Mar"]
    assert "the location is closed; no other day is found yet" in told(flagged[0])
    assert plan.steps["session"]["title"] in [told(row).split(": ")[0] for row in undated]
    assert [marks(row) for row in undated] == [[]] * len(undated)


@pytest.mark.parametrize(
    "later, labels",
    [
        pytest.param("P14D", ["Mar 8", "Mar 15", "Mar 22"], id="weeks"),
        pytest.param("P6M", ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep"], id="months"),
        pytest.param("P3Y", ["Jul", "2028", "Jul", "2029", "Jul", "2030"], id="half years"),
        pytest.param("P9Y", [str(year) for year in range(2027, 2037)], id="years"),
    ],
)
async def test_the_axis_has_as_many_marks_as_can_be_read(
    desk: Desk, later: str, labels: list[str]
) -> None:
    key = f"axis-{later.lower()}"
    timings = [{"relative_to": {"step": "session"}, "target": later}]
    await store_protocol(desk.app, visit(timings=timings) | {"key": key})
    plan = await desk.plan(protocol={"key": key}, parameters=..., laterality=...)

    picture = fromstring((await drawn(desk, plan)).text)

    middle = [text for text in picture.findall(f"{SVG}text") if text.get("text-anchor") == "middle"]
    assert [text.text for text in middle][: len(labels)] == labels


async def test_titles_are_text_whatever_is_in_them(desk: Desk) -> None:
    title = "</text><script>alert('&amp;')</script>"
    steps = [{**SMALL["steps"][0], "title": title}]
    await store_protocol(desk.app, {**SMALL, "key": "marked-up", "steps": steps})
    plan = await desk.plan(protocol={"key": "marked-up"}, parameters=..., laterality=...)

    answer = await drawn(desk, plan)

    assert "<script" not in answer.text
    assert title in [told(row).split(": ")[0] for row in await rows(desk, plan)]


async def test_a_picture_loads_nothing_and_says_what_it_is(desk: Desk) -> None:
    answer = await drawn(desk, await desk.plan(note="Kanarienvogel", condition="Kanarienvogel"))

    assert answer.headers["content-type"] == "image/svg+xml"
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    assert answer.headers["content-security-policy"] == policy
    assert "href" not in answer.text
    assert "Kanarienvogel" not in answer.text
    picture = fromstring(answer.text)
    name = "[sandbox] [example] ankle-stem-cell-prp-full 1.0.0, active"
    assert picture.findtext(f"{SVG}title") == name
    assert picture.findtext(f"{SVG}desc", "").count(", planned") > 10


async def test_a_picture_of_today_is_not_sent_again(desk: Desk) -> None:
    plan = await desk.plan()
    tag = (await drawn(desk, plan)).headers["etag"]

    again = await drawn(desk, plan, **{"if-none-match": tag})
    await desk.at("2027-01-05T09:00:00-07:00")
    tomorrow = await drawn(desk, plan, **{"if-none-match": tag})

    assert (tag, again.status_code, tomorrow.status_code) == ('"1.2027-01-04"', 304, 200)


async def test_who_looked_at_it_is_accounted_for(own_desk: Desk) -> None:
    await drawn(own_desk, await own_desk.plan())

    (read, _) = (await listed(own_desk, patient_id=own_desk.patient_id))[:2]

    assert read["operation"] == "read_timeline"


async def test_the_picture_in_the_guide_is_that_of_its_plan(desk: Desk) -> None:
    answer = await drawn(desk, await desk.plan(unavailable=AWAY))

    assert answer.text == SHOWN.read_text("utf-8")
