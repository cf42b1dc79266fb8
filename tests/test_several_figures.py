"""Figures of processes that `serve` started together are told as one, whichever is asked."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from signal import SIGKILL
from time import monotonic, sleep

import pytest

from app.api.metrics import forget_ended
from tests.processes import Running, environ, get, regimen, running

pytestmark = pytest.mark.long

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
REQUESTS = 40
# So often are the figures asked for: of one process or the other.
TOLD = 6
PATIENCE_SECONDS = 20


def counted(place: str) -> float:
    """How many lists of patients were asked for."""
    text = get(f"{place}/metrics")[2].decode()
    found = re.findall(
        r'^regimen_requests_total{[^}]*route="/v1/patients"[^}]*} (\S+)$', text, re.MULTILINE
    )
    return sum(map(float, found))


def alive(server: Running) -> set[int]:
    """The processes that a server started and that answer."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    found = {int(one) for one in children.read_text("ascii").split()}
    # One of them tracks what they share.
    return {one for one in found if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()}


def replace(server: Running, place: str) -> None:
    """Kill the processes and wait until others answer in their place."""
    killed, give_up = alive(server), monotonic() + PATIENCE_SECONDS
    for process_id in killed:
        os.kill(process_id, SIGKILL)
    while killed & alive(server) or len(alive(server)) < len(killed):
        assert monotonic() < give_up
        sleep(0.05)
    assert get(f"{place}/health/ready")[0] == 200


@pytest.mark.deep
def test_figures_of_several_processes_are_told_as_one(postgresql_url: str, tmp_path: Path) -> None:
    environment = environ(REGIMEN_DATABASE_URL=postgresql_url)
    command = regimen("serve", "--port", "0", "--workers", "2")
    with running(command, cwd=tmp_path, env=environment) as server:
        place = server.wait_for("at").split()[1]
        server.wait_for("Ctrl-C")
        with ThreadPoolExecutor(8) as clients:
            asked = list(clients.map(get, [f"{place}/v1/patients"] * REQUESTS))
        assert {status for status, *_ in asked} == {200}

        for _ in range(TOLD):
            assert counted(place) == REQUESTS
        if DEEP:
            # What ended processes counted stays.
            replace(server, place)
            assert counted(place) == REQUESTS
        server.interrupt()


def test_what_ended_processes_were_doing_is_forgotten(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = [f"gauge_livesum_{ended.pid}.db", f"counter_{ended.pid}.db"]
    names += [f"gauge_livesum_{os.getpid()}.db"]
    for name in names:
        (tmp_path / name).touch()

    forget_ended(tmp_path)

    assert {file.name for file in tmp_path.iterdir()} == set(names[1:])
