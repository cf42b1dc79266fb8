"""A list of what lies between two days or instants says so when they are the wrong way round."""

import pytest

from tests.client import Client

DAYS = ("2027-03-02", "2027-03-01")
INSTANTS = ("2027-03-02T00:00:00Z", "2027-03-01T00:00:00Z")


@pytest.mark.parametrize(
    "path, last, ends",
    [
        pytest.param("/v1/worklist", "until", DAYS, id="worklist"),
        pytest.param("/v1/worklist/counts", "until", DAYS, id="counts"),
        pytest.param("/v1/closures", "to", DAYS, id="closures"),
        pytest.param("/v1/access", "until", INSTANTS, id="accesses"),
    ],
)
async def test_a_range_that_ends_before_it_begins_is_refused(
    api: Client, path: str, last: str, ends: tuple[str, str]
) -> None:
    backwards = await api.get(path, params=dict(zip(("from", last), ends, strict=True)))
    forwards = await api.get(path, params=dict(zip((last, "from"), ends, strict=True)))

    assert (backwards.status_code, backwards.json()["type"]) == (422, "range-not-allowed")
    assert forwards.status_code == 200
