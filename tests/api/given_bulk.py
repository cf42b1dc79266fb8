"""Bodies of many lines and their results, for the tests of bulk."""

import json
from collections.abc import AsyncIterator, Iterable

from tests.api.given_plans import Data, Desk
from tests.client import Answer, Client

BULK = "/v1/plans/bulk"
NDJSON = {"Content-Type": "application/x-ndjson"}
FEW: Data = {"primer_count": 0, "booster_timing": "none", "orthotics": "declined"}


def body_of(lines: Iterable[Data | bytes]) -> bytes:
    """Each line as JSON, or as it is given."""
    return b"".join(
        (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines
    )


async def post(api: Client, body: bytes | AsyncIterator[bytes], **headers: str) -> Answer:
    """Send a body of lines."""
    return await api.post(BULK, content=body, headers={**NDJSON, **headers})


def results_of(answer: Answer) -> list[Data]:
    """The lines of an answer, the summary last."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == NDJSON["Content-Type"]
    return [json.loads(line) for line in answer.text.splitlines()]


async def bulk(desk: Desk, *lines: Data | bytes) -> list[Data]:
    """The results of lines."""
    return results_of(await post(desk.api, body_of(lines)))


async def bodies(desk: Desk, count: int, **fields: object) -> list[Data]:
    """Bodies of small plans, each of a patient of its own."""
    return [
        desk.body(patient={"id": await desk.patient()}, parameters=FEW, **fields)
        for _ in range(count)
    ]


def summary(
    *, created: int = 0, replayed: int = 0, refused: int = 0, complete: bool = True
) -> Data:
    """The last line of an answer."""
    return {
        "summary": {
            "lines": created + replayed + refused,
            "created": created,
            "replayed": replayed,
            "refused": refused,
            "complete": complete,
        }
    }
