"""The guide's page about bulk is executed: the request in it, its answer compared."""

import asyncio
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from app.api import docs
from app.main import create_app
from app.settings import Settings
from tests.api.given_plans import a_desk, make_clinic
from tests.client import client_of
from tests.processes import HOUSE, environ, regimen, running

PAGE = (Path(docs.__file__).with_name("guide") / "bulk.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8000"


def block(language: str) -> str:
    """The one block of this language."""
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


async def make_patients(url: str) -> None:
    """A clinic with the patients whom the example names, but for the last."""
    app = create_app(Settings(database_url=url))
    async with client_of(app) as api:
        await make_clinic(app)
        desk = await a_desk(app, api)
        for mrn in ("4711", "4712"):
            await desk.patient(identifiers=[{"system": "urn:example:mrn", "value": mrn}])
    await app.state.database.dispose()


def with_curl(script: str) -> str:
    """The script where there is curl, or on a machine that has none."""
    own = f"cd {shlex.quote(str(HOUSE))}; curl() {{ {shlex.quote(sys.executable)} -m tests.curl"
    return script if shutil.which("curl") else f'{own} "$@"; }}\n{script}'


def test_the_request_is_answered_as_shown(sqlite_url: str, tmp_path: Path) -> None:
    asyncio.run(make_patients(sqlite_url))
    environment = environ(REGIMEN_DATABASE_URL=sqlite_url)

    with running(regimen("serve", "--port", "0"), cwd=tmp_path, env=environment) as server:
        place = server.wait_for("at").split()[1]
        server.wait_for("Ctrl-C")
        script = with_curl(block("sh").replace(ADDRESS, place))
        done = subprocess.run(
            ["sh"], input=script, env=environment, capture_output=True, text=True, check=True
        )

    id_ = re.compile(r"0192…|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    assert id_.sub("an id", done.stdout) == id_.sub("an id", block("json"))
