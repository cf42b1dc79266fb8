"""The guide tells of FHIR what is so: every request that it shows is sent, and is answered well."""

import re
import shlex
from pathlib import Path
from typing import Any

from app.api import docs
from app.api.fhir.application import FACES
from app.api.fhir.bundles import MIB, MOST_BYTES, MOST_ENTRIES
from app.api.fhir.queries import MOST
from app.integrations.fhir.appointment_changes import SUPPORTED
from tests.api.fhir.given_fhir import BASE, R4
from tests.api.given_plans import Desk, steps_of
from tests.client import Answer

PAGE = Path(docs.__file__).with_name("guide").joinpath("fhir.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def requests(known: dict[str, str]) -> list[list[str]]:
    """The words of every curl that is shown, as a shell would read them."""
    found = []
    for block in BLOCKS:
        text = block.replace("\\\n", "")
        for name, value in known.items():
            text = text.replace(f"${name}", value)
        for command in re.split(r"^(?=curl )", text, flags=re.MULTILINE):
            found += [shlex.split(command)] if command.strip() else []
    return found


async def send(desk: Desk, words: list[str]) -> Answer:
    """Send one request."""
    method, data, url = "GET", None, ""
    headers: dict[str, str] = {}
    rest = iter(words[2:])
    for word in rest:
        match word:
            case "-X":
                method = next(rest)
            case "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            case "-d":
                data = next(rest)
                method = "POST" if method == "GET" else method
            case _:
                url = word
    if data is not None and "Content-Type" not in headers:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    return await desk.api.request(method, url, content=data, headers=headers)


async def test_every_request_that_is_shown_is_answered(desk: Desk) -> None:
    plan = await desk.plan()
    step = steps_of(plan)["primer/2"]
    known = {
        "FHIR": R4,
        "PATIENT": desk.patient_id,
        "PLAN": plan["id"],
        "STEP": step["id"],
        "OTHER": steps_of(plan)["followup_2w"]["id"],
    }
    assert step["date"] == "2027-01-27"
    shown = requests(known)

    for words in shown:
        if "Procedure" in words[2]:
            await desk.at("2027-01-27T18:00:00-07:00")
        answer = await send(desk, words)
        assert answer.is_success, (words, answer.text)
    assert len(shown) == 17


def test_the_figures_and_tables_are_the_real_ones() -> None:
    statuses = re.findall(r"^\| ((?:`[a-z-]+`(?:, )?)+)", PAGE, re.MULTILINE)
    named: set[Any] = {one for row in statuses for one in re.findall(r"`([a-z-]+)`", row)}

    assert named - {"status"} == SUPPORTED
    assert f"at most {MOST_BYTES // MIB} MiB and {MOST_ENTRIES} entries" in PAGE
    assert f"`_count`\n  (at most {MOST})" in PAGE
    for type_ in FACES:
        assert f"`{type_}`" in PAGE, type_
    assert BASE.endswith(R4)
