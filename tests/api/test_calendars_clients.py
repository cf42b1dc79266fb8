"""Calendar programs that people use read a feed from a running server."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings
from tests.api.given_plans import Data, a_desk, good, make_clinic, steps_of
from tests.client import client_of
from tests.processes import environ, regimen, running

PROGRAMS = Path(sys.executable).parent

SYNC = """\
[general]
status_path = "{folder}/status/"

[pair feed]
a = "served"
b = "kept"
collections = null
conflict_resolution = "a wins"

[storage served]
type = "http"
url = "{url}"

[storage kept]
type = "filesystem"
path = "{folder}/kept/"
fileext = ".ics"
"""
KHAL = """\
[calendars]
[[feed]]
path = {folder}/kept/
readonly = True

[locale]
local_timezone = America/Denver
default_timezone = America/Denver
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M

[default]
show_all_days = False
"""
SHOWN = "{start-date}|{start-time}|{end-date}|{end-time}|{status}|{title}"


async def a_booked_plan(url: str) -> tuple[Data, str]:
    """A plan with a booked session and a step called off, and the path of its feed."""
    app = create_app(Settings(database_url=url))
    await make_clinic(app)
    async with client_of(app) as api:
        desk = await a_desk(app, api)
        plan = await desk.plan()
        feed = await good(api.post("/v1/calendars", json={"plan_id": plan["id"]}))
        steps = steps_of(plan)
        body = {
            "changes": [
                {
                    "type": "book",
                    "step_id": steps["session"]["id"],
                    "starts_at": "2027-03-10T09:00:00-07:00",
                    "ends_at": "2027-03-10T11:30:00-07:00",
                },
                {"type": "skip", "step_id": steps["followup_2w"]["id"]},
            ]
        }
        path = f"/v1/plans/{plan['id']}"
        headers = {"If-Match": (await api.get(path)).headers["etag"]}
        changed = await good(api.post(f"{path}/changes", json=body, headers=headers))
    await app.state.database.dispose()
    return changed["plan"], feed["path"]


def run(folder: Path, program: str, *arguments: str) -> str:
    """What a program of this environment prints, whose files are all in a folder."""
    env = environ(
        HOME=str(folder),
        XDG_CACHE_HOME=str(folder / "cache"),
        XDG_CONFIG_HOME=str(folder / "config"),
        XDG_DATA_HOME=str(folder / "data"),
        LC_ALL="C.UTF-8",
    )
    done = subprocess.run(
        [str(PROGRAMS / program), *arguments],
        cwd=folder,
        env=env,
        input="y\n" * 5,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the calendar programs are not installed here")
async def test_khal_shows_what_vdirsyncer_fetched(sqlite_url: str, tmp_path: Path) -> None:
    plan, path = await a_booked_plan(sqlite_url)
    (tmp_path / "kept").mkdir()
    env = environ(REGIMEN_DATABASE_URL=sqlite_url, REGIMEN_PORT="0")
    with running(regimen("serve"), cwd=tmp_path, env=env) as server:
        place = server.wait_for("at").split()[1]
        server.wait_for("Ctrl-C")
        (tmp_path / "sync").write_text(SYNC.format(folder=tmp_path, url=place + path))
        for command in ("discover", "sync"):
            run(tmp_path, "vdirsyncer", "--config", str(tmp_path / "sync"), command)
    (tmp_path / "khal").write_text(KHAL.format(folder=tmp_path))

    told = run(
        tmp_path, "khal", "--config", str(tmp_path / "khal"),
        "list", "--once", "--day-format", "", "--format", SHOWN, "2027-01-01", "500d",
    )  # fmt: skip

    shown = {line.strip() for line in told.splitlines() if line.strip()}
    mark = "[sandbox] [example]"
    assert f"2027-03-10|09:00|2027-03-10|11:30|CONFIRMED |{mark} Procedure" in shown
    assert f"2027-02-24||2027-03-24||CONFIRMED |{mark} Restriction" in shown
    assert f"2027-04-21||2027-04-21||TENTATIVE |{mark} Injection" in shown
    assert f"2027-03-24||2027-03-24||CANCELLED |{mark} Visit" in shown
    days = {line.partition("|")[0] for line in shown}
    assert days == {step["date"] for step in plan["steps"] if step["date"]} | {"2027-03-24"}
