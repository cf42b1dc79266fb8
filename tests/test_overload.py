"""A server asked for four times what it takes on answers, or says that it cannot now."""

import json
import os
import re
import threading
from collections import Counter
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import quantiles
from time import monotonic, sleep
from urllib.parse import urlsplit

import pytest

from tests.processes import Running, environ, get, regimen, running

SECONDS = 60 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 3
PLACES = 8
CLIENTS = 4 * PLACES


def _flood(place: str, until: float, statuses: Counter[int], client: int) -> None:
    """Ask as fast as one can be refused."""
    parts = urlsplit(place)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    count = 0
    while monotonic() < until:
        count += 1
        identifier = {"system": "urn:flood", "value": f"{client}-{count}"}
        body = json.dumps({"identifiers": [identifier]})
        with suppress(OSError, HTTPException):
            connection.request("POST", "/v1/patients", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            statuses[answer.status] += 1
            if answer.status >= 400:
                assert answer.headers["retry-after"]
    connection.close()


def _resident(server: Running) -> float:
    """How much memory a server has, in MiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text("ascii")
    (kibibytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(kibibytes) / 1024


@pytest.mark.deep
def test_it_answers_or_says_that_it_cannot_now(sqlite_url: str, tmp_path: Path) -> None:
    environment = environ(
        REGIMEN_DATABASE_URL=sqlite_url,
        REGIMEN_MAX_IN_FLIGHT=str(PLACES),
        REGIMEN_LOG_LEVEL="error",
        REGIMEN_RATE_LIMIT="0",
    )
    statuses: Counter[int] = Counter()
    health: list[float] = []
    with running(regimen("serve", "--port", "0"), cwd=tmp_path, env=environment) as server:
        place = server.wait_for("at").split()[1]
        server.wait_for("Ctrl-C")
        assert get(f"{place}/v1/patients")[0] == 200
        resident = [_resident(server)]
        until = monotonic() + SECONDS
        clients = [
            threading.Thread(target=_flood, args=(place, until, statuses, n))
            for n in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        while monotonic() < until:
            begin = monotonic()
            assert get(f"{place}/health/live")[0] == 200
            health.append(monotonic() - begin)
            resident.append(_resident(server))
            sleep(0.05)
        for client in clients:
            client.join()
        begin = monotonic()
        assert get(f"{place}/v1/patients")[0] == 200

        assert monotonic() - begin < 5
    assert max(resident) - resident[0] < 64
    assert statuses.keys() <= {201, 503}
    assert statuses[201] > CLIENTS
    assert statuses[503] > 0
    # Nine of ten, because the clients keep this machine busy, too.
    assert quantiles(health, n=10)[-1] < 0.2
