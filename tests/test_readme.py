"""The README is executed: every command and request in it, its answers compared.

A comment before each block says how: ``run: request`` and so on; ``answers`` and ``prints`` belong
to the block that was run before. A shell block without a comment fails.
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import COMMANDS
from app.settings import Settings, variable
from tests.processes import HOUSE, Running, environ, get, running

README = (HOUSE / "README.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:8000"
KEY = "rgm_..."
DATABASE = "postgresql://regimen:password@db.example.org/regimen?sslmode=verify-full"
SEPARATOR = "\x1e"
CURL = (sys.executable, "-m", "tests.curl")

_BLOCK = re.compile(r"(?:<!-- ([^>]+) -->\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What a machine with Python only has: the packages are there already, which pip finds by itself.
_PYTHON = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
else
    exec {python} "$@"
fi
"""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of the README and the comment before it."""

    how: str
    language: str
    text: str


BLOCKS = tuple(Block(how, language, text) for how, language, text in _BLOCK.findall(README))


def block(how: str) -> str:
    """The one block that is marked so."""
    (found,) = [block.text for block in BLOCKS if block.how == how]
    return found


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone on a machine with Python and, as it were, nothing else."""
    clone = tmp_path_factory.mktemp("clone")
    for name in ("app", "migrations", "requirements.txt"):
        (clone / name).symlink_to(HOUSE / name)
    for program in (clone / "programs" / "python3", clone / ".venv" / "bin" / "python"):
        program.parent.mkdir(parents=True)
        program.write_text(_PYTHON.format(python=shlex.quote(sys.executable)))
        program.chmod(0o755)
    if shutil.which("curl") is None:
        (clone / "programs" / "curl").write_text(f'#!/bin/sh\n{shlex.join(CURL)} "$@"\n')
        (clone / "programs" / "curl").chmod(0o755)
    return clone


def surroundings(machine: Path, **given: str) -> dict[str, str]:
    """The machine's environment: its own programs first, nothing from a network, a free port."""
    env = environ(PIP_NO_INDEX="1", REGIMEN_PORT="0", **given)
    return {**env, "PATH": f"{machine / 'programs'}:{env['PATH']}"}


@pytest.fixture(scope="module")
def demo(machine: Path) -> Iterator[Running]:
    """What the first command of the README started, as far as the last line it prints."""
    env = surroundings(machine)
    del env["PYTHONPATH"]
    shutil.rmtree(machine / ".venv")
    with running(["sh", "-c", block("run: demo")], cwd=machine, env=env) as run:
        for _ in range(4):
            run.wait_for("curl")
        yield run


@pytest.fixture(scope="module")
def place(demo: Running) -> str:
    """Where the demo is served."""
    (line,) = [line for line in demo.said if line.startswith("Serving it at ")]
    return line.split()[3]


@pytest.fixture(scope="module")
def key(demo: Running) -> str:
    """The key that the demo printed."""
    (line,) = [line for line in demo.said if line.strip().startswith("KEY=")]
    return line.strip().removeprefix("KEY=")


def said(text: str) -> list[str]:
    """Lines as a person reads them: tables fill theirs up with blanks."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def assert_told(expected: str, told: str) -> None:
    """Every line that the README shows is there, in this order."""
    lines = iter(said(told))
    for line in said(expected):
        assert line in lines, f"not printed (here): {line!r}"


def differences(expected: Any, found: Any, pointer: str = "") -> Iterator[str]:
    """Where an answer is not what is shown; it may say more, and its lists may be longer."""
    match expected:
        case dict() if isinstance(found, dict):
            for key, value in expected.items():
                yield from differences(value, found.get(key), f"{pointer}/{key}")
        case [_, *_] if isinstance(found, list):
            left = iter(found)
            for index, value in enumerate(expected):
                if not any(not [*differences(value, item)] for item in left):
                    yield f"{pointer}/{index} is not found (here)"
        case _ if expected != found:
            yield f"{pointer} is {found!r}"


def test_the_first_command_prints_what_is_shown(demo: Running) -> None:
    assert_told(block("prints: demo"), "".join(demo.said))

    assert "Warning" not in "".join(demo.said)


def test_every_request_is_answered_as_shown(machine: Path, place: str, key: str) -> None:
    used = [block for block in BLOCKS if block.how in {"run: request", "answers"}]
    asked = [block.text.replace(ADDRESS, place) for block in used if block.language == "sh"]
    assert KEY in asked[0]
    requests = [text.replace(KEY, key) for text in asked]
    script = "set -eu\n" + f"printf '{SEPARATOR}'\n".join(requests)

    done = subprocess.run(
        ["sh"],
        input=script,
        cwd=machine,
        env=surroundings(machine),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    answers = iter(done.stdout.split(SEPARATOR))
    latest = ""
    for one in used:
        if one.language == "sh":
            latest = next(answers)
        else:
            assert [*differences(json.loads(one.text), json.loads(latest))] == []


def test_what_the_demo_says_to_try_works(demo: Running, key: str) -> None:
    answers = []
    for line in [line.replace("$KEY", key) for line in demo.said if "curl" in line]:
        tried = subprocess.run(
            [*CURL, *shlex.split(line)[1:]],
            cwd=HOUSE,
            env=environ(),
            capture_output=True,
            check=True,
        )
        answers.append(json.loads(tried.stdout))

    listed, plan, history, why_not = answers
    assert plan["id"] in {item["id"] for item in listed["items"]}
    assert history["items"][0]["revision"] == plan["revision"]
    assert why_not["bookable"] is False


def test_nothing_of_the_demo_is_open_without_its_key(place: str) -> None:
    assert get(f"{place}/v1/plans")[0] == 401


@pytest.mark.parametrize(
    "path, media_type",
    [
        ("/docs", "text/html"),
        ("/guide", "text/html"),
        ("/openapi.json", "application/json"),
        ("/health/live", "application/json"),
        ("/health/ready", "application/json"),
    ],
)
def test_the_pages_named_are_served(path: str, media_type: str, place: str) -> None:
    assert f"`{path}`" in README

    assert get(place + path)[:2] == (200, media_type)


def test_a_protocol_is_checked_as_shown(machine: Path) -> None:
    done = subprocess.run(
        ["sh", "-euc", block("run: command")],
        cwd=machine,
        env=surroundings(machine),
        capture_output=True,
        text=True,
        check=True,
    )

    assert_told(block("prints: command"), done.stdout)
    assert done.stderr == ""


def test_a_service_is_made_as_shown(machine: Path) -> None:
    env = surroundings(machine)
    with running(["sh", "-euc", block("run: service")], cwd=machine, env=env) as service:
        where = service.wait_for("at").split()[1]
        service.wait_for("Ctrl-C")

        assert get(f"{where}/health/ready")[0] == 200
        service.interrupt()
    assert "Traceback" not in "".join(service.said)


def test_a_service_on_postgresql_is_made_as_shown(machine: Path, new_postgresql_url: str) -> None:
    url = new_postgresql_url.replace("+asyncpg", "")
    script = block("run: postgresql").replace(DATABASE, shlex.quote(url))
    assert url in script
    env = surroundings(machine)
    with running(["sh", "-euc", script], cwd=machine, env=env) as service:
        where = service.wait_for("at").split()[1]
        service.wait_for("Ctrl-C")

        assert get(f"{where}/health/ready")[0] == 200
        service.interrupt()
    assert "Traceback" not in "".join(service.said)


def test_every_shell_block_says_how_it_is_run() -> None:
    known = {"demo", "request", "command", "service", "postgresql"}
    how = {block.how for block in BLOCKS if block.language == "sh"}

    assert how == {f"run: {name}" for name in known} | {"not run: it runs the test that reads this"}
    assert README.count("```sh\n") == sum(block.language == "sh" for block in BLOCKS)


def test_the_command_that_is_not_run_is_there() -> None:
    command = block("not run: it runs the test that reads this").split()

    assert subprocess.run([command[0], "-n", *command[1:]], cwd=HOUSE, check=False).returncode == 0


def test_every_setting_is_told_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(REGIMEN_\w+)` \| (?:`([^`]*)`)? *\|", README, re.MULTILINE))
    secret = {"REGIMEN_SECRET": ""}
    defaults = {
        variable(field.name): _written(getattr(Settings(), field.name))
        for field in fields(Settings)
    }

    assert rows == {**defaults, **secret}


def _written(value: object) -> str:
    """A default as it would be written in the environment."""
    match value:
        case StrEnum():
            return value.value
        case tuple():
            return ",".join(str(one) for one in value)
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value).replace("+aiosqlite", "")


def test_every_command_is_told() -> None:
    table = README.partition("## Commands")[2].partition("```")[0]

    assert re.findall(r"^\| `(\w+)[ `]", table, re.MULTILINE) == [*COMMANDS]


def test_every_place_named_is_there() -> None:
    named = re.findall(r"`((?:app|migrations|tests|\.ci)/[\w./-]*|Dockerfile|LICENSE)`", README)
    named += re.findall(r"sh (\.ci/\w+)", README)
    named += re.findall(r"^((?:app|migrations|tests)/\S*)", README, re.MULTILINE)

    assert len(named) > 8
    assert [name for name in named if not (HOUSE / name).exists()] == []
