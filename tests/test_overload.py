"""A server asked for four times what it takes on answers, or says that it cannot now."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from time import monotonic, sleep

import pytest

from tests.flooding import UNTOLD
from tests.processes import Running, environ, get, regimen, running

pytestmark = pytest.mark.long

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
SECONDS = 60 if DEEP else 3
DATABASES = ("sqlite", "postgresql") if DEEP else ("sqlite",)
PLACES = 8


def _flood(place: str, seconds: float, rate: float, clients: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.flooding", place, str(seconds), str(rate), str(clients)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ())


def _answers(flood: "subprocess.Popen[str]") -> dict[str, int]:
    told, _ = flood.communicate()
    assert flood.returncode == 0
    return dict(json.loads(told))


def _resident(server: Running) -> float:
    """How much memory a server has, in MiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text("ascii")
    (kibibytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(kibibytes) / 1024


def _seconds_for(place: str, path: str) -> float:
    begin = monotonic()
    assert get(f"{place}{path}")[0] == 200
    return monotonic() - begin


@dataclass(slots=True)
class Found:
    """What became of a flood, and of the server in it."""

    saturated: float
    """How many were stored a second by as many clients as there are places."""
    answers: dict[str, int]
    alive: list[float] = field(default_factory=list)
    """Seconds until it said that it lives."""
    ready: list[float] = field(default_factory=list)
    """Seconds until it said that its database answers."""
    resident: list[float] = field(default_factory=list)
    again: float = 0.0
    """Seconds for an answer afterwards."""

    def __str__(self) -> str:
        asked = sum(self.answers.values()) / SECONDS
        return (
            f"{asked:.0f} asked a second, {self.saturated:.0f} taken at most: {self.answers}; "
            f"alive in {_told(self.alive)}, ready in {_told(self.ready)}; "
            f"{self.resident[0]:.0f} to {max(self.resident):.0f} MiB; then {self.again:.3f} s"
        )


def _told(seconds: list[float]) -> str:
    """The most, and what all but one in a hundred took."""
    few = sorted(seconds)[len(seconds) * 99 // 100]
    return f"{max(seconds) * 1000:.0f} ms (99 % of {len(seconds)} in {few * 1000:.0f})"


def _flooded(server: Running) -> Found:
    """Ask for four times what is taken at saturation, and look after the server meanwhile."""
    place = server.wait_for("at").split()[1]
    server.wait_for("Ctrl-C")
    stored = _answers(_flood(place, SECONDS / 3, 0, PLACES))["201"]
    found = Found(stored / (SECONDS / 3), {}, resident=[_resident(server)])
    flood = _flood(place, SECONDS, 4 * found.saturated, 8 * PLACES)
    while flood.poll() is None:
        found.alive.append(_seconds_for(place, "/health/live"))
        found.ready.append(_seconds_for(place, "/health/ready"))
        found.resident.append(_resident(server))
        sleep(0.05)
    found.answers = _answers(flood)
    found.again = _seconds_for(place, "/v1/patients")
    return found


@pytest.mark.deep
@pytest.mark.parametrize("database", DATABASES)
def test_it_answers_or_says_that_it_cannot_now(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    environment = environ(
        REGIMEN_DATABASE_URL=str(request.getfixturevalue(f"{database}_url")),
        REGIMEN_MAX_IN_FLIGHT=str(PLACES),
        REGIMEN_LOG_LEVEL="error",
        REGIMEN_RATE_LIMIT="0",
    )

    with running(regimen("serve", "--port", "0"), cwd=tmp_path, env=environment) as server:
        found = _flooded(server)

    print(found)
    assert found.answers.pop(UNTOLD) == 0, found
    assert found.answers.keys() <= {"201", "429", "503"}, found
    assert sum(found.answers.values()) > 3 * found.saturated * SECONDS, found
    assert min(found.answers["201"], found.answers["503"]) > 0, found
    if DEEP:
        assert max(found.alive) < 0.2, found
    # Other tests share the machine, and others keep the database busy that readiness asks.
    for seconds in (found.alive, found.ready):
        assert quantiles(seconds, n=20)[-1] < 0.2, found
    assert max(found.resident) - found.resident[0] < 64, found
    assert found.again < 5, found
