"""Hostile text by what it is meant to break, and the places into which it goes."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.api.given_plans import Desk
from tests.client import Answer

MARK = "zq7Mark"
JSON = {"Content-Type": "application/json"}

# Text by what it is meant to break. All of it has the mark, so that an echo is found.
TEXTS: Mapping[str, str] = {
    "sql string": f"{MARK}' OR '1'='1",
    "sql statement": f"{MARK}'; DROP TABLE plans; --",
    "sql comment": f"{MARK}/**/UNION/**/SELECT/**/1",
    "sql escape": f"{MARK}\\'; SELECT pg_sleep(9); --",
    "sql wildcard": f"%{MARK}%_",
    "script": f"<script>alert('{MARK}')</script>",
    "attribute": f'"><img src=x onerror={MARK}>',
    "template": f"{{{{7*7}}}}{MARK}${{7*7}}#{{7*7}}<%=7*7%>",
    "format string": f"%s%n%x{{0.__class__}}{MARK}",
    "log line": f"{MARK} level=error status=200",
    "shell": f"$(touch /tmp/{MARK})`id`;|& id",
    "path": f"../../../../etc/passwd{MARK}",
    "windows path": f"..\\..\\{MARK}\\con.txt",
    "url": f"http://169.254.169.254/latest/{MARK}",
    "file url": f"file:///etc/passwd#{MARK}",
    "jndi": f"${{jndi:ldap://127.0.0.1/{MARK}}}",
    "formula": f"=cmd|'/c calc'!{MARK}",
    "xml entity": f'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;{MARK}',
    "json in text": f'{{"{MARK}": {{"$ne": null}}}}',
    "pointer": f"/a/~1~0{MARK}",
    "percent": f"%00%0d%0a{MARK}%2e%2e%2f",
    "combining": f"{MARK}" + "e\u0301" * 20,
    "stacked marks": "Z\u0351\u0343\u036e" * 10 + MARK,
    "right to left": f"\u05d0\u05d1{MARK}\u0627",
    "astral": f"{MARK}\U0001f600\U00020000",
    "fullwidth": f"\uff07\uff1b{MARK}\uff0d\uff0d",
    "ligature": f"\ufdfa\ufb03{MARK}",
    "long": MARK + "a" * 100_000,
    "many blanks": MARK + " " * 5_000 + "x",
    "catastrophic": MARK + "a" * 30_000 + "!",
}
# Refused wherever they stand.
CONTROLS: Mapping[str, str] = {
    "nul": f"{MARK}\\u0000",
    "line break in a header's manner": f"{MARK}\\r\\nSet-Cookie: a=b",
    "escape sequence": f"{MARK}\\u001b[2J",
    "backspace": f"{MARK}\\b\\b",
    "c1 control": f"{MARK}\\u009b31m",
    "lone surrogate": f"{MARK}\\ud800",
    "override": f"{MARK}\\u202egnp.exe",
    "isolate": f"{MARK}\\u2066x",
    "no character": f"{MARK}\\uFFfe",
    "no character, as it is": f"{MARK}\uffff",
}
NUMBERS = (
    "1e400", "-0", "0.1", "1e1", "99999999999999999999", "-1", "2147483648", "9223372036854775808",
    "true", '"1"', "[]", "{}", "null", "1.0000000000000001",
)  # fmt: skip
DAYS = (
    "0000-00-00", "0001-01-01", "1899-12-31", "2200-12-31", "2201-01-01", "9999-12-31",
    "10000-01-01", "2027-02-29", "2027-13-01", "2027-3-1", "20270301", "2027-W10-3", "2027-060",
    "2027-03-10T00:00:00Z", " 2027-03-10", "2027-03-10\\n", "\u0662027-03-10", "now", "", "1e9",
)  # fmt: skip


class Spot(NamedTuple):
    """A place into which text goes; ``given_back`` finds it in a good answer."""

    send: Callable[[Desk, str], Any]
    given_back: Callable[[Any], object] | None = None


def _plan_with(field: str) -> Callable[[Desk, str], Any]:
    return lambda desk, text: desk.preview(desk.body(**{field: text}))


SPOTS: Mapping[str, Spot] = {
    "a patient's name": Spot(
        lambda desk, text: desk.api.post("/v1/patients", json={"name": text}), lambda d: d["name"]
    ),
    "an identifier": Spot(
        lambda desk, text: desk.api.post(
            "/v1/patients", json={"identifiers": [{"system": "urn:x", "value": text}]}
        ),
        lambda data: data["identifiers"][0]["value"],
    ),
    "a location's name": Spot(
        lambda desk, text: desk.api.post(
            "/v1/locations", json={"name": text, "time_zone": "UTC", "open_weekdays": [1]}
        ),
        lambda data: data["name"],
    ),
    "a note": Spot(_plan_with("note"), lambda data: data["note"]),
    "a protocol's key": Spot(lambda desk, text: desk.preview(desk.body(protocol={"key": text}))),
    "a parameter": Spot(
        lambda desk, text: desk.preview(desk.body(parameters={"booster_timing": text}))
    ),
    "a parameter's name": Spot(lambda desk, text: desk.preview(desk.body(parameters={text: 1}))),
    "an unknown field": Spot(lambda desk, text: desk.api.post("/v1/patients", json={text: 1})),
    "a time zone": Spot(
        lambda desk, text: desk.api.post(
            "/v1/locations", json={"name": "x", "time_zone": text, "open_weekdays": [1]}
        )
    ),
    "a search": Spot(lambda desk, text: desk.api.post("/v1/patients/search", json={"name": text})),
    "a filter": Spot(
        lambda desk, text: desk.api.get("/v1/plans", params={"practitioner": text[:2000]})
    ),
    "a cursor": Spot(lambda desk, text: desk.api.get("/v1/plans", params={"cursor": text[:2000]})),
    "an unknown parameter": Spot(
        lambda desk, text: desk.api.get("/v1/plans", params={text[:2000]: "1"})
    ),
    "an address": Spot(
        lambda desk, text: desk.api.get(f"/v1/protocols/{_quoted(text[:1000])}/versions")
    ),
    "an id": Spot(lambda desk, text: desk.api.get(f"/v1/plans/{_quoted(text[:1000])}")),
    "an idempotency key": Spot(
        lambda desk, text: desk.api.post(
            "/v1/patients",
            json={"name": "x"},
            headers=_header("Idempotency-Key", text),
        ),
    ),
    "an ETag": Spot(
        lambda desk, text: desk.api.patch(
            f"/v1/patients/{desk.patient_id}",
            json={"name": "x"},
            headers=_header("If-Match", text),
        )
    ),
    "a protocol": Spot(
        lambda desk, text: desk.api.post("/v1/protocols/check", json=a_protocol(title=text))
    ),
    "a YAML protocol": Spot(
        lambda desk, text: desk.api.post(
            "/v1/protocols/check",
            content=f"key: x\ntitle: {text}\n".encode(),
            headers={"Content-Type": "application/yaml"},
        )
    ),
}


def _header(name: str, text: str) -> Any:
    """A header as bytes, as long as one may be."""
    return {name.encode(): text.encode()[:4000]}


def _quoted(text: str) -> str:
    """A piece of an address as it stands in the request line."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


def a_protocol(**fields: Any) -> dict[str, Any]:
    step = {"key": "visit", "kind": "visit", "title": "Visit", "timings": [
        {"relative_to": "plan_start", "target": "P1D"}]}  # fmt: skip
    return {"format": 1, "key": "hostile", "title": "Hostile", "steps": [step], **fields}


def judge(answer: Answer, what: str, given_back: Callable[[Any], object] | None = None) -> None:
    """Refused without an echo, or taken as it is."""
    assert answer.status_code < 500, (what, answer.text)
    if answer.status_code >= 400:
        assert MARK not in answer.text or _names_a_field(answer), (what, answer.text)
        assert len(answer.content) < 20_000, what
    elif given_back is not None:
        sent = json.loads(answer.request.content)
        assert json.dumps(given_back(answer.json())) in json.dumps(sent), what


def _names_a_field(answer: Answer) -> bool:
    """A fault's place may be a word that the client sent as a field's name."""
    data = answer.json()
    for fault in data.get("errors", []):
        fault.pop("pointer")
    return MARK not in json.dumps(data)
