"""A real server killed in a storm of changes: what it acknowledged is there, nothing by half."""

import os
from pathlib import Path
from signal import SIGKILL
from time import sleep

import pytest

from tests.api.given_storms import WRITERS, Storm, blowing, plans_made, revisions_kept
from tests.processes import environ, regimen, running

TIMES = 50 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 1
# Seconds of storm before each kill.
KILLED_AFTER = (0.1, 0.5) * TIMES


@pytest.mark.deep
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_killed_server_loses_nothing_it_acknowledged(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = str(request.getfixturevalue(f"{database}_url"))
    plans = plans_made(url)
    storms: list[Storm] = []

    for seconds in KILLED_AFTER:
        environment = environ(REGIMEN_DATABASE_URL=url)
        with running(regimen("serve", "--port", "0"), cwd=tmp_path, env=environment) as server:
            place = server.wait_for("at").split()[1]
            with blowing(place, plans) as storm:
                sleep(seconds)
                server.stop(SIGKILL)
        storms.append(storm)
        revisions_kept(url, plans)

    check(url, plans, storms)


def check(url: str, plans: list[str], storms: list[Storm]) -> None:
    """Nothing acknowledged is lost, nothing is there that nobody asked for."""
    kept = revisions_kept(url, plans)
    acknowledged = set[tuple[str, int]]().union(*(storm.acknowledged for storm in storms))
    assert all(kept[plan] >= revision for plan, revision in acknowledged)
    # No revision was acknowledged twice, and at most one a writer was not heard of any more.
    assert len(acknowledged) == sum(len(storm.acknowledged) for storm in storms)
    made = sum(revision - 1 for revision in kept.values())
    assert len(acknowledged) <= made <= len(acknowledged) + len(KILLED_AFTER) * WRITERS
    assert set[int]().union(*(storm.statuses for storm in storms)) <= {200, 412, 503}
