"""Requests made up from the published document, sent to a real server: it answers as documented."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from app.api.scopes import SCOPES
from app.domain.permissions import Scope
from app.main import create_app
from app.settings import Settings
from tests.api.given_callers import headers_of_all
from tests.api.test_callers_sweep import things
from tests.client import client_of
from tests.processes import environ, regimen, running

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
DATABASES = ("sqlite", "postgresql") if DEEP else ("sqlite",)
PHASES = "examples,coverage,fuzzing,stateful" if DEEP else "fuzzing"
EXAMPLES = 100 if DEEP else 2
# Its body is one document for each line, of which the tool makes none; the others end the keys.
LEFT_OUT = ("create_plans", "revoke_key", "rotate_key")
# Half of the requests name what there is, as far as their addresses and bodies can.
IN_BODIES = {
    "body.patient.id": "patient_id",
    "body.protocol.key": "key",
    "body.location_id": "location_id",
}
CONFIGURATION = """
hooks = "tests.api.given_made_up"
request-timeout = 60
generation = { with-security-parameters = false }

[checks]
# In its place `refused_for_what_no_schema_says`: it looks at what a request is refused for.
positive_data_acceptance = { enabled = false }
missing_required_header = { expected-statuses = [428] }
# Whoever finds the database busy for seconds is told when to come again.
not_a_server_error = { expected-statuses = ["2xx", "3xx", "4xx", 503] }

# By the links of the document: what the tool would infer takes events for patients.
[phases.stateful.inference]
algorithms = []
"""
# It takes whatever may be a protocol, to tell what is wrong with it; and the patient who is not
# there when two are merged is the other one.
NOT_CHECKED = {
    "check_protocol": "negative_data_rejection",
    "merge_patient": "ensure_resource_availability",
}

Headers = Mapping[str, str]


@pytest.mark.deep
@pytest.mark.parametrize("database", DATABASES)
def test_made_up_requests_are_answered_as_documented(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = str(request.getfixturevalue(f"{database}_url"))
    known, callers = asyncio.run(_prepared(url))
    (tmp_path / "schemathesis.toml").write_text("\n".join(_configuration(known, callers)))
    environment = environ(REGIMEN_DATABASE_URL=url, REGIMEN_RATE_LIMIT="0")
    with running(regimen("serve", "--port", "0"), cwd=tmp_path, env=environment) as server:
        place = server.wait_for("at").split()[1]
        server.wait_for("Ctrl-C")
        tried = subprocess.run(
            _trying(place),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert tried.returncode == 0, tried.stdout


async def _prepared(url: str) -> tuple[Mapping[str, str], Mapping[Scope, Headers]]:
    """What there is in the clinic, by the names of parameters, and a caller for each scope."""
    app = create_app(Settings(database_url=url, pool_size=4))
    try:
        async with client_of(app) as api:
            callers = await headers_of_all(app, app.state.clinic_id)
            return await things(api, callers), callers
    finally:
        await app.state.database.dispose()


def _configuration(known: Mapping[str, str], callers: Mapping[Scope, Headers]) -> Iterator[str]:
    yield CONFIGURATION
    for name, scope in SCOPES.items():
        if scope is not None:
            header = json.dumps(callers[scope]["Authorization"])
            yield f'[[operations]]\ninclude-operation-id = "{name}"'
            yield f"headers = {{ Authorization = {header} }}"
        if name in NOT_CHECKED:
            yield f"checks = {{ {NOT_CHECKED[name]} = {{ enabled = false }} }}"
    for name, value in known.items():
        is_number = name in {"revision", "event_number"}
        yield f"[dictionaries.{name}]\nvalues = [{value if is_number else json.dumps(value)}]"
    yield "[parameters]"
    for parameter, name in ({f"path.{name}": name for name in known} | IN_BODIES).items():
        yield f'"{parameter}" = {{ dictionary = "{name}", probability = 0.5 }}'


def _trying(place: str) -> list[str]:
    options = [
        *("--url", place, "--phases", PHASES, "--max-examples", str(EXAMPLES)),
        *("--seed", "1", "--suppress-health-check", "all", "--no-color", "--continue-on-failure"),
    ]
    for name in LEFT_OUT:
        options += ["--exclude-operation-id", name]
    program = "import sys; from schemathesis.cli import schemathesis; schemathesis()"
    return [sys.executable, "-c", program, "run", f"{place}/openapi.json", *options]
