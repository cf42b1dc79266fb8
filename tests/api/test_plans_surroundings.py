"""What lies round a plan counts: other plans, reports, absences, closures, the clinic's rules."""

from typing import Any

import pytest

from app.domain.documents import clinic_rules_to_data, parse_clinic_rules
from app.persistence.clinics import DEFAULT_CLINIC_ID, ClinicRulesRepository
from tests.api.given_plans import Data, Desk, days_of, good, steps_of

FEW: Data = {"primer_count": 0, "booster_timing": "none", "orthotics": "declined"}


def few(anchor: str, **fields: Any) -> Data:
    """A plan that has a session and visits only."""
    return {"anchor": {"date": anchor}, "parameters": FEW, **fields}


def ids(problem: Data) -> set[str]:
    """The elements of a conflict."""
    return {element["id"] for element in problem["conflict"]["elements"]}


async def test_an_injection_too_near_another_plans_at_the_same_ankle_is_refused(
    desk: Desk,
) -> None:
    other = await desk.plan(**few("2027-03-03"))

    problem = await desk.refused(**few("2027-03-10"))

    assert ids(problem) == {"anchor:session", "rule:injection-gap", f"other:{other['id']}/session"}
    assert [o["request"]["anchor"]["date"] for o in problem["options"][:2]] == [
        "2027-02-17",
        "2027-03-17",
    ]


@pytest.mark.parametrize(
    "now, earlier, later",
    [
        pytest.param("right", "right", "2027-03-17", id="the same side"),
        pytest.param("right", "left", "2027-03-09", id="the other side"),
    ],
)
async def test_another_plan_pushes_the_earliest_day_only_where_it_is_at_the_same_side(
    desk: Desk, now: str, earlier: str, later: str
) -> None:
    await desk.plan(**few("2027-03-03", laterality=earlier))

    plan = await desk.plan(anchor={"earliest_from": "2027-03-09"}, parameters=FEW, laterality=now)

    assert plan["anchor"]["date"] == later


async def test_a_step_gives_way_to_another_plans_injection_and_says_so(desk: Desk) -> None:
    await desk.plan(**few("2027-02-10"))

    plan = await desk.plan(parameters={**FEW, "primer_count": 1})

    primer = steps_of(plan)["primer/1"]
    assert primer["date"] == "2027-02-24"
    assert primer["reasons"][1] == {
        "code": "rule",
        "text": (
            "primer on Wed 2027-02-17 is less than 14 days from session of another plan "
            "on Wed 2027-02-10"
        ),
        "rule": "rule:injection-gap",
    }


@pytest.mark.parametrize(
    "fields, counts",
    [
        pytest.param({"status": "draft"}, False, id="a draft promises nothing"),
        pytest.param({}, True, id="an active one does"),
    ],
)
async def test_only_what_is_promised_counts(desk: Desk, fields: Data, counts: bool) -> None:
    await desk.plan(**few("2027-03-03"), **fields)

    answer = await desk.preview(desk.body(**few("2027-03-10")))

    assert (answer.status_code == 409) == counts


async def test_another_patients_plan_does_not_count(desk: Desk) -> None:
    await desk.plan(**few("2027-03-03"), patient={"id": await desk.patient()})

    assert (await desk.plan(**few("2027-03-10")))["anchor"]["date"] == "2027-03-10"


async def test_an_injection_done_by_a_draft_counts_like_any_other(desk: Desk) -> None:
    done = [{"type": "perform", "step": "consult", "on": "2026-12-10"}]
    done.append({"type": "perform", "step": "session", "on": "2027-01-04"})
    skipped = [{"type": "skip", "step": step} for step in ("baseline_outcomes", "pre_check")]
    other = await desk.plan(**few("2027-01-04"), status="draft", changes=[*done, *skipped])

    problem = await desk.refused(**few("2027-01-15", changes=[{"type": "skip", "step": "consult"}]))

    assert f"other:{other['id']}/session" in ids(problem)


STEROID: Data = {"agent": "corticosteroid_injection", "on": "2027-01-04"}
AFTER_A_STEROID = [
    pytest.param({"body_site": "ankle", "laterality": "right"}, True, id="the same ankle"),
    pytest.param({"body_site": "ankle", "laterality": "left"}, False, id="the other ankle"),
    pytest.param({"body_site": "ankle", "laterality": "bilateral"}, True, id="both ankles"),
    pytest.param({"body_site": "ankle"}, True, id="an ankle, nobody knows which"),
    pytest.param({"body_site": "knee", "laterality": "right"}, False, id="the knee"),
    pytest.param({}, True, id="nobody knows where"),
]


@pytest.mark.parametrize("where, counts", AFTER_A_STEROID)
async def test_a_steroid_shot_reported_of_the_patient_puts_the_session_off(
    desk: Desk, where: Data, counts: bool
) -> None:
    event = await desk.report(**STEROID, **where)
    body = desk.body(**few("2027-01-29"))

    answer = await desk.preview(body)

    assert (answer.status_code == 409) == counts
    if counts:
        problem = answer.json()
        assert ids(problem) == {
            "anchor:session",
            "rule:steroid-before-session",
            f"event:{event['id']}",
        }
        assert "corticosteroid injection was given on Mon 2027-01-04" in problem["detail"]
        assert problem["options"][0]["request"]["anchor"] == {"date": "2027-02-02"}


@pytest.mark.parametrize(
    "day, status",
    [
        pytest.param("2027-01-29", 409, id="25 days later"),
        pytest.param("2027-02-02", 201, id="29 days later"),
    ],
)
async def test_the_washout_ends_after_its_days(desk: Desk, day: str, status: int) -> None:
    await desk.report(**STEROID)

    assert (await desk.post(desk.body(**few(day)))).status_code == status


async def test_a_shot_that_was_withdrawn_does_not_count(desk: Desk) -> None:
    event = await desk.report(**STEROID)
    await desk.api.delete(f"/v1/patients/{desk.patient_id}/events/{event['id']}")

    assert (await desk.plan(**few("2027-01-29")))["anchor"]["date"] == "2027-01-29"


async def test_a_physician_may_set_the_washout_aside_as_the_option_says(desk: Desk) -> None:
    await desk.report(**STEROID)
    problem = await desk.refused(**few("2027-01-29"))
    option = problem["options"][-1]

    answer = await desk.post(option["request"])

    assert option["needs_role"] == "physician"
    assert option["request"]["changes"][-1]["element"] == "rule:steroid-before-session"
    assert answer.status_code == 201


async def test_a_fever_stops_the_session_until_somebody_clears_it(desk: Desk) -> None:
    await desk.report(finding="fever", on="2027-01-04")

    plan = await desk.plan(**few("2027-03-10"))

    (breach,) = plan["breaches"]
    assert (breach["rule"], breach["severity"]) == ("infection", "block")
    assert breach["text"] == (
        "session on Wed 2027-03-10 needs clearance: fever reported on Mon 2027-01-04"
    )
    assert [item["code"] for item in plan["needs_attention"]] == ["breach"]


async def test_a_fever_that_is_over_is_no_matter(desk: Desk) -> None:
    await desk.report(finding="fever", on="2027-01-02", cleared_on="2027-01-04")

    assert (await desk.plan(**few("2027-03-10")))["breaches"] == []


async def test_an_absence_known_of_the_patient_shifts_what_falls_into_it(desk: Desk) -> None:
    absence = await good(
        desk.api.post(
            f"/v1/patients/{desk.patient_id}/unavailability",
            json={"from": "2027-02-10", "to": "2027-02-20"},
        )
    )

    primer = steps_of(await desk.plan())["primer/1"]

    assert primer["date"] == "2027-02-23"
    assert primer["reasons"][1]["rule"] == f"unavailable:{absence['id']}"


async def test_closed_days_shift_the_visits_that_fall_into_it(desk: Desk) -> None:
    await desk.closure("2027-03-24", "2027-03-25", title="Spring cleaning", key="spring")

    plan = await desk.plan()

    visit = steps_of(plan)["followup_2w"]
    assert visit["reasons"][1] == {
        "code": "closure",
        "text": "the location is closed on Wed 2027-03-24 (Spring cleaning)",
        "rule": "closure:spring",
    }
    assert visit["date"] == "2027-03-23"


async def test_a_restriction_and_a_boot_need_no_open_day(desk: Desk) -> None:
    await desk.closure("2027-02-20", "2027-03-02")

    days = days_of(await desk.plan(parameters={**FEW}))

    assert days["nsaid_free"] == "2027-02-24"


async def test_a_closure_is_set_aside_only_by_a_manager(desk: Desk) -> None:
    await desk.closure("2027-03-09", "2027-03-12", title="Renovation", key="renovation")
    problem = await desk.refused()

    option = problem["options"][-1]
    plan = await good(desk.post(option["request"]))

    assert option["needs_role"] == "manager"
    assert days_of(plan)["session"] == "2027-03-10"


async def test_a_closure_of_another_location_is_no_matter(desk: Desk) -> None:
    elsewhere = await desk.location()
    await desk.closure("2027-03-10", "2027-03-10", location_id=elsewhere)

    assert days_of(await desk.plan())["session"] == "2027-03-10"


CLINIC_RULES: Data = {
    "format": 1,
    "title": "Ours",
    "washouts": [
        {
            "id": "botulinum",
            "agent": "botulinum_toxin",
            "before": "P60D",
            "applies_to": {"tags": ["prp"]},
            "waiver_role": "physician",
        }
    ],
}


async def test_the_clinics_own_rules_hold_beside_the_protocols(own_desk: Desk) -> None:
    rules = clinic_rules_to_data(parse_clinic_rules(CLINIC_RULES))
    before = await own_desk.preview(own_desk.body(**few("2027-02-09")))
    await own_desk.report(agent="botulinum_toxin", on="2027-01-02")
    async with own_desk.app.state.database.writing(DEFAULT_CLINIC_ID) as connection:
        stored = ClinicRulesRepository(connection, own_desk.app.state.clinic_id)
        await stored.save(rules, revision=0, now=own_desk.now)

    problem = await own_desk.refused(**few("2027-02-09"))

    assert before.status_code == 200
    assert "rule:clinic-botulinum-before" in ids(problem)
    assert problem["options"][0]["request"]["anchor"] == {"date": "2027-03-03"}
