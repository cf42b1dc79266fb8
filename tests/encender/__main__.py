"""Shows what a stock engine makes of our PlanDefinitions, beside what is made of them here.

It copies actions and makes requests, and computes no day. Fails where it does not see every action,
or where the guide shows something else of it.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from app.domain.documents import ProtocolDocument
from app.domain.engine import solve
from app.domain.facts import Anchor, OccurrenceId
from app.domain.problem import Problem
from app.domain.protocols import OutsideEvent
from app.domain.schedules import Schedule
from app.integrations.fhir.activity_definitions import activity_definition
from app.integrations.fhir.plan_definitions import plan_definition_of
from app.services.library import library_protocols
from tests.api.fhir.test_side_by_side import EXAMPLES

Data = dict[str, Any]
PACKAGE = "encender@0.7.1"
START = date(2027, 3, 10)
PATIENT = {"resourceType": "Patient", "id": "example", "birthDate": "1975-06-30"}


def main() -> int:
    """0 where every action is seen, 1 where one is not, 75 where there is no Node."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        sys.stderr.write("SKIPPED: there is no Node here, so nothing was compared\n")
        return 75
    documents = {one.key: one for one in library_protocols()}
    definitions = {key: plan_definition_of(one) for key, one in documents.items()}
    made = _applied(definitions, [PATIENT, *_activities(documents.values())])
    table = Table("protocol", "actions", "seen by encender", "its requests", "dated", "dated here")
    failed = 0
    for key, definition in definitions.items():
        ours = set(_ids(definition["action"]))
        group, requests = _of(made[key])
        seen = set(_ids(group.get("action", [])))
        failed += seen != ours
        dated = sum("occurrence" in json.dumps(one) for one in requests)
        cells = (len(ours), len(seen), len(requests), dated, _dated_here(documents[key]))
        table.add_row(key, *map(str, cells))
    Console(width=120).print(table)
    failed += _told_otherwise()
    return 1 if failed else 0


def _told_otherwise() -> int:
    """How many of the guide's examples it makes something else of than the guide shows."""
    definitions = [json.loads(definition) for definition, _, _ in EXAMPLES]
    made = _applied({one["url"]: one for one in definitions}, [PATIENT])
    failed = 0
    for definition, (_, shown, _) in zip(definitions, EXAMPLES, strict=True):
        group, _requests = _of(made[definition["url"]])
        said = "".join(f"{json.dumps(action)}\n" for action in group["action"])
        if said != shown:
            failed += 1
            sys.stderr.write(f"the guide does not show of {definition['url']}:\n{said}")
    return failed


def _applied(definitions: dict[str, Data], resources: list[Data]) -> Data:
    with tempfile.TemporaryDirectory() as folder:
        install = ["npm", "install", "--silent", "--no-audit", "--no-fund", PACKAGE]
        subprocess.run(install, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        script = Path(folder, "apply.mjs")
        script.write_text(Path(__file__).with_name("apply.mjs").read_text("utf-8"), "utf-8")
        sent = json.dumps({"definitions": definitions, "resources": resources})
        done = subprocess.run(
            ["node", "--no-warnings", str(script)],
            cwd=folder,
            input=sent,
            capture_output=True,
            text=True,
            check=True,
        )
    found: Data = json.loads(done.stdout)
    return found


def _activities(documents: Any) -> Iterator[Data]:
    for document in documents:
        for step in document.protocol.steps:
            yield activity_definition(document, step, None)


def _of(made: Any) -> tuple[Data, list[Data]]:
    """The group and the requests that were made; none where it refused."""
    if isinstance(made, str):
        sys.stderr.write(f"encender: {made}\n")
        return {}, []
    return made[1], made[2:]


def _ids(actions: list[Data]) -> Iterator[str]:
    for action in actions:
        yield action["id"]
        yield from _ids(action.get("action", []))


def _dated_here(document: ProtocolDocument) -> int:
    """How many planned steps have a day."""
    protocol = document.protocol
    timings = [timing for step in protocol.steps for timing in step.timings]
    events = {t.reference.name for t in timings if isinstance(t.reference, OutsideEvent)}
    anchor = next((step for step in protocol.steps if step.key == protocol.anchor), None)
    number = None if anchor is None or anchor.repeat is None else 1
    problem = Problem(
        protocol,
        as_of=date(2026, 9, 1),
        anchor=None if anchor is None else Anchor(OccurrenceId(anchor.key, number), START),
        plan_start=START,
        events=dict.fromkeys(events, START),
    )
    found = solve(problem)
    assert isinstance(found, Schedule), document.key
    return sum(step.day is not None for step in found.steps)


if __name__ == "__main__":
    sys.exit(main())
