"""Requests made up from the published document, sent to a real server: it answers as documented."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import environ, regimen, running

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
DATABASES = ("sqlite", "postgresql") if DEEP else ("sqlite",)
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
# All that the tool can, but this: a cursor, an ETag or a key that is written as it should be is
# refused where it is not the one that was given out, and a schema cannot know that.
DEEPER = (
    *("--phases", "examples,coverage,fuzzing,stateful"),
    *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
)
# Its body is one document for each line, of which the tool makes none; the others end the key.
LEFT_OUT = ("create_plans", "revoke_key", "rotate_key")


@pytest.mark.deep
@pytest.mark.parametrize("database", DATABASES)
def test_made_up_requests_are_answered_as_documented(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = str(request.getfixturevalue(f"{database}_url"))
    environment = environ(REGIMEN_DATABASE_URL=url, REGIMEN_RATE_LIMIT="0")
    made = subprocess.run(
        regimen("keys", "create", "made-up", "--role", "admin"),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    (key,) = set(re.findall(r"rgm_\S+", made.stdout))
    with running(regimen("serve", "--port", "0"), cwd=tmp_path, env=environment) as server:
        place = server.wait_for("at").split()[1]
        server.wait_for("Ctrl-C")
        tried = subprocess.run(
            _trying(place, key), cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert tried.returncode == 0, tried.stdout[-4000:]


def _trying(place: str, key: str) -> list[str]:
    options = [
        *("--url", place),
        *("--header", f"Authorization: Bearer {key}"),
        *(DEEPER if DEEP else ("--phases", "fuzzing", "--checks", ",".join(CHECKS))),
        *("--max-examples", "100" if DEEP else "2"),
        *("--seed", "1", "--suppress-health-check", "all", "--no-color"),
    ]
    for name in LEFT_OUT:
        options += ["--exclude-operation-id", name]
    program = "import sys; from schemathesis.cli import schemathesis; schemathesis()"
    return [sys.executable, "-c", program, "run", f"{place}/openapi.json", *options]
