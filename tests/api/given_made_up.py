"""What the tool that makes up requests is told beside the document; it runs in its own process."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, HookContext, Response

from app.api.faults import WORDS

# What the form of a request is refused for; a request of the right form may be refused only for
# what no schema says: a cursor that was not given out, a day before another.
FORM = {code for code, _ in WORDS.values()} | {"unknown-field", "unknown-parameter", "wrong-form"}
FORM_STATUSES = {400, 415, 428}
NOT_GIVEN_OUT = {"invalid-cursor", "token-not-given"}
TEXT = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]*")

days = st.dates(date(1900, 1, 1), date(2200, 12, 31))
instants = st.builds(datetime.combine, days, st.times(), st.just(UTC))
schemathesis.openapi.format("date", days.map(date.isoformat))
schemathesis.openapi.format("date-time", instants.map(datetime.isoformat))
schemathesis.openapi.format("time", st.times().map(time.isoformat))


@schemathesis.check
def refused_for_what_no_schema_says(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """What has the right form is not refused for its form."""
    is_right = case.meta is not None and case.meta.generation.mode.is_positive
    if not is_right or response.status_code not in FORM_STATUSES | {422}:
        return
    problem = response.json()
    assert response.status_code == 422 or problem["type"] in NOT_GIVEN_OUT, problem
    if problem["type"] == "invalid-request":
        assert not {fault["code"] for fault in problem.get("errors", ())} & FORM, problem


@schemathesis.hook
def before_call(_: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """A key is for one request; and nobody waits long for what does not happen."""
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = str(uuid4())
    if str((case.query or {}).get("wait", "0")).isdigit() and "wait" in case.query:
        case.query["wait"] = "0"


@schemathesis.hook
def filter_body(_: HookContext, body: Any) -> bool:
    """As the document says in words."""
    return _is_plain(body)


@schemathesis.hook
def filter_query(_: HookContext, query: dict[str, Any]) -> bool:
    """Likewise."""
    return _is_plain(query)


def _is_plain(value: Any) -> bool:
    """Text has no control characters; a whole number is written as such, not as 1.0, which JSON
    Schema takes for one.
    """
    parts = list(_parts(value))
    return all(TEXT.fullmatch(part) for part in parts if isinstance(part, str)) and not any(
        part.is_integer() for part in parts if isinstance(part, float)
    )


def _parts(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from _parts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _parts(part)
