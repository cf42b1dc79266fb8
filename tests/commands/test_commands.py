"""The command line does what it says, and says what is wrong without a traceback."""

import io
import json
import re
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from app.__main__ import COMMANDS, main
from app.commands.demo import check_replaceable
from app.commands.failures import CommandFailed
from app.library import __file__ as library
from tests.client import REVIEWED
from tests.processes import HOUSE, environ, get, regimen, running

SNAPSHOT = HOUSE / "tests" / "demo.txt"
ANKLE = Path(library).with_name("ankle-prp.yaml")

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, without settings from outside."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in environ().keys() ^ environ(REGIMEN_PORT="0").keys():
        monkeypatch.delenv(name, raising=False)
    for name in ("REGIMEN_DATABASE_URL", "REGIMEN_PORT", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return folder


def said(text: str) -> list[str]:
    """Lines as a person reads them: tables fill theirs up with blanks."""
    return [line.rstrip() for line in text.splitlines()]


def test_without_a_command_help_teaches_the_first_steps(capsys: Captured) -> None:
    assert main([]) == 2

    shown = capsys.readouterr().out
    assert "python -m app demo" in shown
    assert all(f"\n    {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples_that_are_understood(command: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])

    assert ended.value.code == 0
    assert re.search(rf"examples?:\n(  .*\n)*  .*python -m app {command}", capsys.readouterr().out)


@pytest.mark.parametrize(
    "word, hint",
    [("demmo", "did you mean `python -m app demo`?"), ("xyzzy", "see `python -m app --help`")],
)
def test_an_unknown_command_is_met_with_a_hint(word: str, hint: str, capsys: Captured) -> None:
    assert main([word]) == 2

    assert capsys.readouterr().err.strip() == (
        f"python -m app: there is no command '{word}'; {hint}"
    )


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["serve", "--port", "65536"], "whole number from 0 to 65535"),
        (["serve", "--port", "٣"], "whole number from 0 to 65535"),
        (["serve", "--workers", "0"], "whole number from 1 to 64"),
        (["check"], "FILE"),
        (["check", "x", "--open", "someday"], "weekdays such as tue-fri"),
        (["check", "x", "--from", "2027-02-30"], "a date such as 2027-01-01"),
        (["check", "x", "--from", "9999-01-01"], "a date from 1900 to 2190"),
        (["check", "x", "--set", "primer_count"], "must look like primer_count=3"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else None,
)
def test_a_wrong_argument_is_explained(arguments: list[str], text: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "worker", "migrate", "openapi"])
def test_a_wrong_setting_is_named(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("REGIMEN_PORT", "eighty")

    assert main([command]) == 1

    assert capsys.readouterr().err.strip() == (
        f"python -m app {command}: REGIMEN_PORT must be a whole number from 0 to 65535"
    )


def test_the_demo_prints_what_was_reviewed(elsewhere: Path, capsys: Captured) -> None:
    for _ in range(2):
        assert main(["demo", "--no-serve"]) == 0

        shown = said(capsys.readouterr().out)
        assert shown == said(SNAPSHOT.read_text("utf-8"))
    assert [path.name for path in elsewhere.iterdir()] == ["regimen-demo.db"]


def test_a_demo_replaces_only_what_a_demo_made(elsewhere: Path, capsys: Captured) -> None:
    (elsewhere / "ours.db").write_text("our patients")

    assert main(["demo", "--no-serve", "--database", "ours.db"]) == 1

    assert "was not made by a demo" in capsys.readouterr().err
    assert (elsewhere / "ours.db").read_text() == "our patients"


def test_a_demo_needs_a_folder_to_write_to(elsewhere: Path) -> None:
    with pytest.raises(CommandFailed, match="there is no folder nowhere"):
        check_replaceable(Path("nowhere/demo.db"))
    with pytest.raises(CommandFailed, match="was not made by a demo"):
        check_replaceable(elsewhere)


def test_the_work_on_a_file_is_left_to_who_serves_it(capsys: Captured) -> None:
    assert main(["worker"]) == 1

    assert "`python -m app serve` does this work" in capsys.readouterr().err


def test_a_worker_needs_tables(
    new_postgresql_url: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("REGIMEN_DATABASE_URL", new_postgresql_url)

    assert main(["worker"]) == 1

    assert "has no tables yet: run `python -m app migrate`" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_port_in_use_is_told(command: str, elsewhere: Path, capsys: Captured) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert main([command, "--port", str(port)]) == 1

    assert f"port {port} of 127.0.0.1 is in use" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


def test_an_address_that_is_not_ours_is_told(capsys: Captured) -> None:
    assert main(["serve", "--host", "192.0.2.1"]) == 1

    assert "cannot listen on port 8000 of 192.0.2.1" in capsys.readouterr().err


def test_a_database_without_tables_is_not_served(elsewhere: Path, capsys: Captured) -> None:
    assert main(["serve", "--port", "0"]) == 1

    assert "regimen.db has no tables yet: run `python -m app migrate`" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


def test_a_database_of_another_version_is_not_served(capsys: Captured) -> None:
    main(["migrate"])
    with sqlite3.connect("regimen.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'future'")
    connection.close()

    assert main(["serve", "--port", "0"]) == 1

    assert "has the tables of another version" in capsys.readouterr().err


def test_sqlite_is_served_by_one_process(capsys: Captured) -> None:
    assert main(["serve", "--workers", "2"]) == 1

    assert "SQLite is served by one process" in capsys.readouterr().err


def test_migrating_twice_does_no_harm(capsys: Captured) -> None:
    assert main(["migrate"]) == 0
    assert main(["migrate"]) == 0

    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"the SQLite file regimen.db is now at revision \w+", first)
    assert second == first.replace("now at", "at") + " already"


@pytest.mark.parametrize(
    "url, text",
    [
        ("sqlite:///nowhere/regimen.db", "there is no folder nowhere"),
        ("sqlite:///junk.db", "file is not a database"),
        ("postgresql://me:secret@127.0.0.1:1/plans", "cannot be reached: connection refused"),
        ("mysql://me:secret@host/plans", "must begin with sqlite:/// or postgresql://"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_a_database_out_of_reach_is_told_without_secrets(
    command: str, url: str, text: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    Path("junk.db").write_text("this is no database, but long enough to be taken for one" * 20)
    monkeypatch.setenv("REGIMEN_DATABASE_URL", url)

    assert main([command]) == 1

    shown = capsys.readouterr().err
    assert text in shown
    assert "secret" not in shown


def test_the_document_is_printed_as_it_is_reviewed(capsys: Captured) -> None:
    assert main(["openapi"]) == 0

    printed = capsys.readouterr().out
    assert printed == REVIEWED.read_text("utf-8")
    assert json.loads(printed)["openapi"].startswith("3.1")


def test_a_sound_protocol_is_told_so(capsys: Captured) -> None:
    assert main(["check", str(ANKLE), "--open", "tue-fri", "--from", "2027-03-01"]) == 0

    shown = capsys.readouterr()
    assert "ankle-prp 1.0.0, Ankle PRP" in shown.out
    assert "no faults" in shown.out
    assert "every start day of a year from 2027-03-01, open Tue, Wed, Thu, Fri" in shown.out
    assert "every one of 208 start days works" in shown.out
    assert shown.err == ""


def test_start_days_need_not_be_tried(capsys: Captured) -> None:
    assert main(["check", str(ANKLE), "--no-simulation"]) == 0

    assert "start day" not in capsys.readouterr().out


TWO_WEEKS: dict[str, object] = {
    "format": 1,
    "key": "two-weeks",
    "version": "1.0.0",
    "title": "A visit after exactly ten days",
    "anchor": "shot",
    "parameters": [
        {
            "key": "visits",
            "title": "How many visits",
            "type": "integer",
            "min": 1,
            "default": 1,
            "max": 2,
        }
    ],
    "steps": [
        {"key": "shot", "kind": "injection", "title": "Shot"},
        {
            "key": "visit",
            "kind": "visit",
            "title": "Visit",
            "timings": [
                {
                    "relative_to": {"step": "shot"},
                    "earliest": "P10D",
                    "target": "P10D",
                    "latest": "P10D",
                }
            ],
            "repeat": {
                "count": {"parameter": "visits", "min": 1, "default": 1, "max": 2},
                "spacing": {"earliest": "P7D", "target": "P7D", "latest": "P7D"},
            },
        },
    ],
}


@pytest.fixture
def exact(elsewhere: Path) -> str:
    """A protocol that fails on some start days."""
    (elsewhere / "exact.json").write_text(json.dumps(TWO_WEEKS))
    return "exact.json"


def test_failing_start_days_are_counted_with_their_reasons(exact: str, capsys: Captured) -> None:
    assert main(["check", exact, "--set", "visits=2"]) == 0

    shown = capsys.readouterr().out
    assert "fail (40 %)" in shown
    assert "visit" in shown
    assert re.search(r"Wed +\d+ +\d+", shown)


def test_a_parameter_that_is_not_there_is_told(exact: str, capsys: Captured) -> None:
    assert main(["check", exact, "--set", "boosters=2"]) == 1

    assert "the start days cannot be tried: " in capsys.readouterr().err


def test_every_fault_is_shown_with_its_place(elsewhere: Path, capsys: Captured) -> None:
    faulty = {**TWO_WEEKS, "colour": "red", "anchor": "session"}
    (elsewhere / "faulty.json").write_text(json.dumps(faulty))

    assert main(["check", "faulty.json"]) == 1

    shown = capsys.readouterr().out
    assert re.search(r"^2 faults$", shown, re.MULTILINE)
    assert re.search(r"^  /anchor +\S", shown, re.MULTILINE)
    assert re.search(r"^  /colour +\S", shown, re.MULTILINE)
    assert "start day" not in shown


@pytest.mark.parametrize(
    "name, text, fault",
    [
        ("twice.json", '{"format": 1, "format": 1}', r"^  /format +occurs twice"),
        ("twice.yaml", "format: 1\nformat: 1\n", r"^  /format +occurs twice"),
        ("broken.yaml", "steps: [", r"^  / +is not YAML"),
        ("broken.json", '{"steps": [', r"^  / +is not JSON"),
        ("empty.yaml", "", r"^  / +\S"),
    ],
)
def test_a_file_that_is_no_document_has_faults_too(
    name: str, text: str, fault: str, capsys: Captured
) -> None:
    Path(name).write_text(text)

    assert main(["check", name]) == 1

    assert re.search(fault, capsys.readouterr().out, re.MULTILINE)


def test_a_protocol_comes_by_standard_input_too(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ANKLE.read_bytes())))

    assert main(["check", "-", "--no-simulation"]) == 0

    assert capsys.readouterr().out.startswith("standard input: ankle-prp 1.0.0")


def test_what_cannot_be_read_is_told(elsewhere: Path, capsys: Captured) -> None:
    (elsewhere / "huge.yaml").write_bytes(b" " * 1_000_001)

    assert [main(["check", name]) for name in ("missing.yaml", ".", "huge.yaml")] == [1, 1, 1]

    missing, folder, huge = capsys.readouterr().err.splitlines()
    assert "cannot read missing.yaml: no such file or directory" in missing
    assert "cannot read .: is a directory" in folder
    assert "at most 1000000 bytes" in huge


def test_a_reader_who_has_seen_enough_is_no_fault(elsewhere: Path) -> None:
    program = shlex.join(regimen("openapi"))
    done = subprocess.run(
        ["sh", "-c", f"{{ {program}; echo $? >status; }} | head -n 1"],
        cwd=elsewhere,
        env=environ(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert (done.stdout, done.stderr) == ("{\n", "")
    assert (elsewhere / "status").read_text() == "0\n"


def test_a_service_ends_what_it_does_when_it_is_stopped(elsewhere: Path) -> None:
    command = regimen("serve", "--migrate", "--port", "0")
    with running(command, cwd=elsewhere, env=environ(REGIMEN_LOG_FORMAT="json")) as service:
        place = service.wait_for("at").split()[1]
        documentation = service.wait_for("docs").split()[1]

        assert get(f"{place}/health/ready")[0] == 200
        assert get(documentation)[:2] == (200, "text/html")
        assert json.loads(get(f"{place}/openapi.json")[2])["openapi"].startswith("3.1")
        fhir = json.loads(get(f"{place}/fhir/R4/metadata")[2])
        assert fhir["implementation"]["url"] == f"{place}/fhir/R4"
        assert service.stop(signal.SIGTERM) == -signal.SIGTERM
    assert "Traceback" not in "".join(service.said)
    # The last connection has put everything into the file itself.
    assert {path.name for path in elsewhere.iterdir()} == {"regimen.db", "regimen.db-lock"}
