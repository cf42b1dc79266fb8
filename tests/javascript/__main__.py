"""Lets a stock JavaScript client discover, authorize, apply, read, page, update and subscribe.

The server is one of its own, over a new database; what it sends to the subscriber is received here.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from anyio import to_thread
from joserfc.jwk import ECKey

from app.main import create_app
from app.settings import Settings
from tests.api.fhir.given_apply import anchor, asking
from tests.api.given_plans import ANKLE, Desk, a_desk, make_clinic, steps_of
from tests.api.given_tokens import client_id, public
from tests.client import client_of
from tests.processes import PATIENCE_SECONDS, environ, regimen, running
from tests.receivers import receiving

Data = dict[str, Any]
PACKAGES = ("fhir-kit-client@2.0.3", "jose@6")
SCOPE = "system/*.rs system/Appointment.u system/Subscription.c"
KEY = ECKey.generate_key("P-384", {"kid": "the-only-one"})


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the client is told, and what it must find."""

    told: Data
    plan: Data


def main() -> int:
    """0 where everything went as it must, 1 where not, 75 where there is no Node."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        sys.stderr.write("SKIPPED: there is no Node here, so no JavaScript client was tried\n")
        return 75
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _in(folder, ["npm", "install", "--silent", "--no-audit", "--no-fund", *PACKAGES])
        plan, seen, sent = asyncio.run(_worked(folder))
    found = _found(plan, seen, sent)
    for name, holds in found.items():
        sys.stdout.write(f"{'yes' if holds else 'NO '}  {name}\n")
    return 0 if all(found.values()) else 1


def _in(folder: Path, command: list[str], sent: str = "", **env: str) -> str:
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environ(**env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        said, _ = process.communicate(sent)
    assert process.returncode == 0, command
    return said


async def _worked(folder: Path) -> tuple[Data, Data, list[str]]:
    """The plan, what the client saw of it, and what its subscription was sent."""
    url = f"sqlite:///{folder}/clinic.sqlite"
    env = {"REGIMEN_DATABASE_URL": url, "REGIMEN_PORT": "0", "REGIMEN_WEBHOOK_LOOPBACK": "yes"}
    await to_thread.run_sync(partial(_in, folder, regimen("migrate"), **env))
    prepared = await _prepared(url)
    script = folder / "client.mjs"
    script.write_text(Path(__file__).with_name("client.mjs").read_text("utf-8"), "utf-8")
    async with receiving() as receiver:
        receiver.expect(1)
        with running(regimen("serve"), cwd=folder, env=environ(**env)) as server:
            base = f"{server.wait_for('at').split()[1]}/fhir/R4"
            told = json.dumps({**prepared.told, "base": base, "hook": f"{receiver.url}/visits"})
            command = ["node", "--no-warnings", str(script)]
            seen = json.loads(await to_thread.run_sync(_in, folder, command, told))
            async with asyncio.timeout(PATIENCE_SECONDS):
                await receiver.enough.wait()
    return prepared.plan, seen, [json.loads(one.body)["type"] for one in receiver.accepted]


def _found(plan: Data, seen: Data, sent: list[str]) -> dict[str, bool]:
    """What the client was to do, and whether it did."""
    steps = [step["id"] for step in plan["steps"]]
    days = sorted(step["date"] for step in plan["steps"] if step["date"])
    return {
        "it discovered FHIR 4.0.1": seen["version"] == "4.0.1",
        "it was given a token for what it signed": "system/Appointment.u" in seen["scope"],
        "it applied a protocol and was given days": sorted(seen["applied"]) == days,
        "it read a plan": seen["activities"] == len(steps) + 1,
        "it paged through a search": seen["pages"] > 1
        and sorted(seen["requests"]) == sorted(steps),
        "it was refused with a stale version": seen["stale"] == 412,
        "it booked a visit with the version it read": seen["booked"] == "booked",
        "it subscribed and was told": seen["subscribed"] == "active" and "step_booked" in sent,
    }


async def _prepared(url: str) -> Prepared:
    app = create_app(Settings(database_url=url))
    async with client_of(app) as api:
        await make_clinic(app)
        desk: Desk = await a_desk(app, api)
        plan = await desk.plan()
        step = steps_of(plan)["primer/1"]
        somebody_else = replace(desk, patient_id=await desk.patient())
        told = {
            "client": str(await client_id(app, public(KEY))),
            "key": KEY.as_dict(private=True),
            "scope": SCOPE,
            "definition": f"{ANKLE}.v1.0.0",
            "parameters": asking(somebody_else, anchor()),
            "plan": plan["id"],
            "identifier": f"{desk.mrn['system']}|{desk.mrn['value']}",
            "step": step["id"],
            "start": f"{step['date']}T16:00:00Z",
            "end": f"{step['date']}T16:45:00Z",
        }
    await app.state.database.dispose()
    return Prepared(told, plan)


if __name__ == "__main__":
    sys.exit(main())
