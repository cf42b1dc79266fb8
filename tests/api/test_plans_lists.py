"""Lists of plans: newest first, each filter alone and together, pages without gaps."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from tests.api.given_plans import NOBODY, SERIES, Data, Desk, good

LIST = "/v1/plans"


async def listed(desk: Desk, **filters: Any) -> list[str]:
    """The ids of the plans that fit, as one page."""
    params = {key: value for key, value in filters.items() if value is not None}
    page = await good(desk.api.get(LIST, params={"limit": 200, **params}))
    return [plan["id"] for plan in page["items"]]


async def pages(desk: Desk, **params: Any) -> AsyncIterator[list[str]]:
    """Page after page, by the cursor of each."""
    cursor: dict[str, str] = {}
    while True:
        page = await good(desk.api.get(LIST, params={**params, **cursor}))
        yield [plan["id"] for plan in page["items"]]
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


async def plans(desk: Desk, count: int) -> list[str]:
    """Plans of one patient, the oldest first; as drafts they do not mind each other."""
    return [(await desk.plan(status="draft", **SMALL))["id"] for _ in range(count)]


SMALL: Data = {
    "protocol": {"key": SERIES["key"]},
    "anchor": ...,
    "parameters": ...,
    "laterality": ...,
    "events": {"surgery": "2027-02-03"},
}


async def test_a_plan_in_a_list_says_what_a_desk_needs_at_a_glance(desk: Desk) -> None:
    plan = await desk.plan(condition="Ankle pain", practitioner="Dr Example")

    page = await good(desk.api.get(LIST, params={"patient_id": desk.patient_id}))

    (item,) = page["items"]
    assert page["next"] is None
    kept = item.keys() - {"next_step"}
    assert {key: item[key] for key in kept} == {key: plan[key] for key in kept}
    assert item["protocol"]["example"] is True
    assert item["next_step"] == {
        "id": plan["next_step"],
        "key": "consult",
        "title": "Consultation, imaging review and consent",
        "date": "2027-01-13",
    }


async def test_the_newest_plan_comes_first(desk: Desk) -> None:
    made = await plans(desk, 3)

    assert await listed(desk, patient_id=desk.patient_id) == made[::-1]


@pytest.fixture
async def three(desk: Desk) -> list[str]:
    """Three plans of one patient: an ankle, an undated series at another place, a draft."""
    elsewhere = await desk.location()
    ankle = await desk.plan(practitioner="Dr Ankle")
    undated = await desk.plan(
        **{**SMALL, "events": {}}, location_id=elsewhere, practitioner="Dr Other"
    )
    draft = await desk.plan(status="draft", **SMALL)
    return [ankle["id"], undated["id"], draft["id"]]


@pytest.mark.parametrize(
    "filters, expected",
    [
        pytest.param({"status": "draft"}, [2], id="status"),
        pytest.param({"status": "active"}, [1, 0], id="another status"),
        pytest.param({"status": "on_hold"}, [], id="a status none has"),
        pytest.param({"protocol": "series"}, [2, 1], id="protocol"),
        pytest.param({"protocol": "none"}, [], id="a protocol none has"),
        pytest.param({"version": "1.0.0"}, [2, 1, 0], id="version"),
        pytest.param({"version": "0.9.0"}, [], id="another version"),
        pytest.param({"practitioner": "Dr Ankle"}, [0], id="practitioner"),
        pytest.param({"practitioner": "dr ankle"}, [], id="practitioners are told apart exactly"),
        pytest.param({"practitioner": "Dr%"}, [], id="no wildcards"),
        pytest.param({"body_site": "ankle"}, [0], id="body site"),
        pytest.param({"body_site": "knee"}, [], id="another body site"),
        pytest.param({"needs_attention": "true"}, [1], id="needs attention"),
        pytest.param({"needs_attention": "false"}, [2, 0], id="needs none"),
        pytest.param({"updated_since": "2027-01-04T16:00:00Z"}, [2, 1, 0], id="since that instant"),
        pytest.param({"updated_since": "2027-01-04T16:00:01Z"}, [], id="since later"),
        pytest.param({"updated_since": "2027-01-04T09:00:00-07:00"}, [2, 1, 0], id="an offset"),
        pytest.param({"protocol": "series", "status": "active"}, [1], id="two together"),
        pytest.param(
            {
                "protocol": "series",
                "version": "1.0.0",
                "status": "active",
                "practitioner": "Dr Other",
                "needs_attention": "true",
                "updated_since": "2027-01-01T00:00:00Z",
            },
            [1],
            id="many together",
        ),
        pytest.param({"protocol": "series", "body_site": "ankle"}, [], id="two that none fits"),
    ],
)
async def test_a_filter_keeps_the_plans_that_fit(
    desk: Desk, three: list[str], filters: Data, expected: list[int]
) -> None:
    assert await listed(desk, patient_id=desk.patient_id, **filters) == [
        three[number] for number in expected
    ]


async def test_plans_of_a_location_and_of_a_patient(desk: Desk, three: list[str]) -> None:
    assert await listed(desk, location_id=desk.location_id) == [three[2], three[0]]
    assert await listed(desk, patient_id=NOBODY) == []
    assert await listed(desk, location_id=NOBODY) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7])
async def test_pages_join_without_gaps_or_repeats(desk: Desk, limit: int) -> None:
    made = await plans(desk, 5)

    found = [page async for page in pages(desk, patient_id=desk.patient_id, limit=limit)]

    assert _joined(found) == made[::-1]
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert found[-1]


async def test_plans_added_meanwhile_do_not_disturb_the_pages(desk: Desk) -> None:
    made = await plans(desk, 4)

    found = []
    async for page in pages(desk, patient_id=desk.patient_id, limit=1):
        found.append(page)
        await plans(desk, 1)

    assert _joined(found) == made[::-1]


def _joined(found: Iterable[list[str]]) -> list[str]:
    return [plan for page in found for plan in page]


async def test_the_link_leads_to_the_next_page(desk: Desk) -> None:
    made = await plans(desk, 2)
    first = await desk.api.get(LIST, params={"patient_id": desk.patient_id, "limit": 1})

    address, _, rest = first.headers["link"].partition(">")
    second = await desk.api.get(address.removeprefix("<"))

    assert rest == '; rel="next"'
    assert [plan["id"] for plan in second.json()["items"]] == made[:1]
    assert "link" not in second.headers


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({}, id="without the filter"),
        pytest.param({"patient_id": NOBODY}, id="another value"),
        pytest.param({"patient_id": ..., "status": "draft"}, id="one filter more"),
    ],
)
async def test_a_cursor_belongs_to_its_filters(desk: Desk, other: Data) -> None:
    await plans(desk, 2)
    params: Data = {"patient_id": desk.patient_id, "limit": 1}
    cursor = (await good(desk.api.get(LIST, params=params)))["next"]
    sent = {key: desk.patient_id if value is ... else value for key, value in other.items()}

    answer = await desk.api.get(LIST, params={**sent, "limit": 1, "cursor": cursor})

    assert (answer.status_code, answer.json()["type"]) == (400, "invalid-cursor")


async def test_a_cursor_of_another_list_is_refused(desk: Desk) -> None:
    await desk.patient()
    cursor = (await good(desk.api.get("/v1/patients", params={"limit": 1})))["next"]

    answer = await desk.api.get(LIST, params={"cursor": cursor})

    assert (answer.status_code, answer.json()["type"]) == (400, "invalid-cursor")


async def test_the_limit_may_change_from_page_to_page(desk: Desk) -> None:
    made = await plans(desk, 4)
    params = {"patient_id": desk.patient_id}
    first = await good(desk.api.get(LIST, params={**params, "limit": 1}))

    second = await good(desk.api.get(LIST, params={**params, "limit": 3, "cursor": first["next"]}))

    assert _joined([[p["id"] for p in page["items"]] for page in (first, second)]) == made[::-1]


@pytest.mark.parametrize(
    "params, pointer",
    [
        pytest.param({"limit": "0"}, "limit", id="no items"),
        pytest.param({"limit": "-1"}, "limit", id="a negative limit"),
        pytest.param({"limit": "201"}, "limit", id="too many"),
        pytest.param({"limit": "9" * 30}, "limit", id="a huge limit"),
        pytest.param({"status": "done"}, "status", id="an unknown status"),
        pytest.param({"patient_id": "1"}, "patient_id", id="no id"),
        pytest.param({"location_id": "x"}, "location_id", id="no id of a location"),
        pytest.param({"needs_attention": "perhaps"}, "needs_attention", id="neither yes nor no"),
        pytest.param({"updated_since": "yesterday"}, "updated_since", id="no instant"),
        pytest.param({"updated_since": "2027-01-04"}, "updated_since", id="a day"),
        pytest.param({"updated_since": "2027-01-04T16:00:00"}, "updated_since", id="no offset"),
        pytest.param({"protocol": "p" * 65}, "protocol", id="a long key"),
        pytest.param({"practitioner": "p" * 201}, "practitioner", id="a long name"),
        pytest.param({"practitioner": "dr\x00"}, "practitioner", id="a control"),
        pytest.param({"body_site": "an\nkle"}, "body_site", id="two lines"),
        pytest.param({"version": "\u202e1"}, "version", id="text that turns round"),
        pytest.param({"patient": NOBODY}, "patient", id="an unknown parameter"),
    ],
)
async def test_a_faulty_filter_is_refused_by_its_name(
    desk: Desk, params: Data, pointer: str
) -> None:
    answer = await desk.api.get(LIST, params=params)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


async def test_a_filter_that_is_too_long_says_how_many_characters_it_may_have(desk: Desk) -> None:
    answer = await desk.api.get(LIST, params={"practitioner": "p" * 201})

    fault = {
        "pointer": "practitioner",
        "code": "too-long",
        "detail": "must have at most 200 characters",
    }
    assert answer.json()["errors"] == [fault]


@pytest.mark.parametrize(
    "name", ["protocol", "version", "practitioner", "body_site", "patient_id", "status"]
)
@pytest.mark.parametrize("value", ["\x00", "\ud800".encode("utf-8", "surrogatepass"), "'; --", ""])
async def test_strange_text_in_a_filter_finds_nothing_or_is_refused(
    desk: Desk, name: str, value: Any
) -> None:
    answer = await desk.api.get(LIST, params={name: value, "limit": 1})

    assert answer.status_code in {200, 422}
    assert answer.status_code == 422 or answer.json()["items"] == []
