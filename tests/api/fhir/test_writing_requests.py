"""A step is called off, and wanted again, by its request."""

import pytest

from tests.api.fhir.given_fhir import R4, SENT, Data, get, issue_of
from tests.api.fhir.test_writing import visit
from tests.api.given_changes import Living


async def test_a_step_is_called_off_and_wanted_again_by_its_request(living: Living) -> None:
    at = f"ServiceRequest/{living.id_of('primer/2')}"
    tag = {"If-Match": 'W/"1"', "Content-Type": "application/json-patch+json"}
    revoking = [{"op": "replace", "path": "/status", "value": "revoked"}]

    off = await living.desk.api.patch(f"{R4}/{at}", json=revoking, headers=tag)
    visit_then = await visit(living, "primer/2")
    wanted = await living.desk.api.put(
        f"{R4}/{at}",
        json={**off.json(), "status": "active"},
        headers={**SENT, "If-Match": off.headers["etag"]},
    )
    same = await living.desk.api.put(
        f"{R4}/{at}", json=wanted.json(), headers={**SENT, "If-Match": wanted.headers["etag"]}
    )

    assert off.json()["status"] == "revoked", off.text
    assert visit_then["status"] == "cancelled"
    assert wanted.json()["status"] == "active", wanted.text
    assert (await visit(living, "primer/2"))["status"] == "proposed"
    assert same.headers["etag"] == wanted.headers["etag"] == 'W/"3"'


@pytest.mark.parametrize(
    "change, expression",
    [
        ({"status": "completed"}, "ServiceRequest.status"),
        ({"status": "banana"}, "ServiceRequest.status"),
        ({"occurrencePeriod": {"start": "2027-02-01"}}, "ServiceRequest.occurrencePeriod"),
        ({"priority": "urgent"}, "ServiceRequest.priority"),
        ({"resourceType": "Patient"}, "ServiceRequest"),
    ],
)
async def test_nothing_but_the_status_of_a_request_is_changed(
    living: Living, change: Data, expression: str
) -> None:
    at = f"ServiceRequest/{living.id_of('primer/2')}"
    resource = {**await get(living.desk.api, at), **change}

    answer = await living.desk.api.put(
        f"{R4}/{at}", json=resource, headers={**SENT, "If-Match": 'W/"1"'}
    )

    assert issue_of(answer, 422)["expression"] == [expression]
    stale = await living.desk.api.put(
        f"{R4}/{at}", json=resource, headers={**SENT, "If-Match": 'W/"7"'}
    )
    assert issue_of(stale, 412)["code"] == "conflict"
