"""The command line, `python -m app`: parses, then imports only what the command needs."""

import argparse
import gc
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import cast

from app.commands.arguments import (
    AUDIT,
    CLIENTS,
    CLINICS,
    KEYS,
    PROGRAM,
    audit_options,
    clients_options,
    clinics_options,
    keys_options,
    whole_number,
)

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

DESCRIPTION = """\
Regimen dates courses of treatment: a protocol, applied to a patient, becomes a plan in which
every step has a day and every day has a reason.
"""
EPILOG = f"""\
first steps:
  {PROGRAM} demo                       see a plan being made, then try the service
  {PROGRAM} check my-protocol.yaml     find what is wrong with a protocol

a service of your own, on the SQLite file regimen.db in this folder:
  {PROGRAM} migrate
  {PROGRAM} serve

Settings are read from REGIMEN_… variables; README.md lists them.
`{PROGRAM} COMMAND --help` tells more of a command.
"""
DEMO = f"""\
Makes a sandbox clinic on a fresh SQLite file, plans a course of treatment there, prints the
schedule with the reason of every shifted day, a day that is not possible, and a request that is
refused with its ways out. Then it serves the clinic until Ctrl-C.

examples:
  {PROGRAM} demo
  {PROGRAM} demo --no-serve
  {PROGRAM} demo --port 0              any free port
"""
SERVE = f"""\
Serves the database that REGIMEN_DATABASE_URL names, or else the SQLite file regimen.db in this
folder. The database must have this version's tables.

examples:
  {PROGRAM} serve
  {PROGRAM} serve --migrate            make or change the tables first
  {PROGRAM} serve --workers 4          four processes, on PostgreSQL
"""
WORKER = f"""\
Does what goes on beside requests on the PostgreSQL database that REGIMEN_DATABASE_URL names:
closures and amendments over many plans, what a new day makes due, webhooks. Any number of workers
on any machines share the work; one that dies loses nothing. On SQLite `serve` does it by itself.

example:
  REGIMEN_DATABASE_URL=postgresql://regimen@db/regimen {PROGRAM} worker
"""
BACKUP = f"""\
Writes everything that REGIMEN_DATABASE_URL names into one new file, as one moment sees it, while
the service goes on. The file holds patient data in plain form: encrypt it where it is kept.

examples:
  {PROGRAM} backup regimen-2027-03-10.backup
  REGIMEN_DATABASE_URL=postgresql://backup@db/regimen {PROGRAM} backup /backups/today
"""
RESTORE = f"""\
Puts a backup back, all or nothing, after it was checked: on PostgreSQL into a database that was
migrated and holds nothing, on SQLite into a file that is not there yet. Made by another version, it
is put back by that version and migrated then.

examples:
  {PROGRAM} restore regimen-2027-03-10.backup
  REGIMEN_DATABASE_URL=sqlite:///tried.db {PROGRAM} restore today.backup
"""
MIGRATE = f"""\
Makes or changes the tables of the database that REGIMEN_DATABASE_URL names, or else of the SQLite
file regimen.db in this folder. Doing it twice does no harm. Back the database up before.

examples:
  {PROGRAM} migrate
  REGIMEN_DATABASE_URL=postgresql://regimen@db/regimen {PROGRAM} migrate
"""
CHECK = f"""\
Reads a protocol document, JSON or YAML, and says everything that is wrong with it, each fault with
the place where it stands (a JSON pointer), and what is doubtful. Then it starts a plan on every day
of a year and says which starts fail, how often and why. Nothing is stored.

It ends with 1 when there are faults, and with 0 when there are warnings only.

examples:
  {PROGRAM} check app/library/ankle-prp.yaml
  {PROGRAM} check my-protocol.yaml --open tue-fri
  {PROGRAM} check my-protocol.json --set primer_count=3
  {PROGRAM} check - < my-protocol.yaml
"""
OPENAPI = f"""\
Prints the OpenAPI 3.1 document of the service, as `/openapi.json` gives it, in a fixed order.

example:
  {PROGRAM} openapi > openapi.json
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit status: 1 where it failed, 2 where it was not understood."""
    given = list(sys.argv[1:] if argv is None else argv)
    # A terminal that cannot show a character shows a question mark, and no traceback.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    parser = _parser()
    if not given:
        parser.print_help()
        return 2
    if not given[0].startswith("-") and given[0] not in COMMANDS:
        print(_unknown(given[0]), file=sys.stderr)
        return 2
    arguments = parser.parse_args(given)
    return _run(COMMANDS[arguments.command], arguments)


def _run(command: Callable[[Namespace], int], arguments: Namespace) -> int:
    from app.commands.failures import CommandFailed

    try:
        return command(arguments)
    except CommandFailed as error:
        print(f"{PROGRAM} {arguments.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing more can be flushed there.
        sys.stdout = None
        return 0


def _unknown(word: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, COMMANDS, n=1)
    hint = f"did you mean `{PROGRAM} {close[0]}`?" if close else f"see `{PROGRAM} --help`"
    return f"{PROGRAM}: there is no command '{word}'; {hint}"


def _demo(arguments: Namespace) -> int:
    from app.commands.databases import settings_with
    from app.commands.demo import run

    settings = settings_with(port=arguments.port)
    run(settings, file=arguments.database, serve=arguments.serve)
    return 0


def _serve(arguments: Namespace) -> int:
    # What is imported stays: looking for garbage would cost a fifth of the start, so it is not
    # done until the application is served.
    gc.disable()
    # FastAPI asks of every model whether it is one of pydantic's old kind. None is here, and to
    # load that for the answer costs a twentieth of the start.
    sys.modules["pydantic.v1"] = cast("ModuleType", None)
    from app.commands.databases import Tables, settings_with, tables_of
    from app.commands.serving import serve

    settings = settings_with(host=arguments.host, port=arguments.port)
    if arguments.migrate and tables_of(settings.database_url) is not Tables.READY:
        _migrate(arguments)
    serve(settings, workers=arguments.workers)
    return 0


def _worker(_arguments: Namespace) -> int:
    from app.commands.databases import settings_with
    from app.commands.working import work

    work(settings_with())
    return 0


def _backup(arguments: Namespace) -> int:
    from app.commands.backing import back_up
    from app.commands.databases import settings_with

    print(back_up(settings_with(), arguments.file))
    return 0


def _restore(arguments: Namespace) -> int:
    from app.commands.backing import restore
    from app.commands.databases import settings_with

    print(restore(settings_with(), arguments.file))
    return 0


def _migrate(_arguments: Namespace) -> int:
    from app.commands.databases import settings_with
    from app.commands.migrating import migrate

    print(migrate(settings_with()))
    return 0


def _check(arguments: Namespace) -> int:
    from app.commands.checking import Simulation, check

    simulation = None
    if arguments.simulate:
        simulation = Simulation(
            first_day=arguments.first_day,
            open_weekdays=arguments.open,
            parameters=dict(arguments.parameters),
        )
    return 0 if check(arguments.file, simulation) else 1


def _administer(arguments: Namespace) -> int:
    from app.commands.administering import administer

    administer(arguments)
    return 0


def _openapi(_arguments: Namespace) -> int:
    from app.api.openapi import rendered
    from app.commands.databases import settings_with
    from app.main import create_app

    sys.stdout.write(rendered(create_app(settings_with())))
    return 0


COMMANDS: Mapping[str, Callable[[Namespace], int]] = MappingProxyType(
    {
        "demo": _demo,
        "serve": _serve,
        "worker": _worker,
        "migrate": _migrate,
        "backup": _backup,
        "restore": _restore,
        "check": _check,
        "clinics": _administer,
        "keys": _administer,
        "clients": _administer,
        "audit": _administer,
        "openapi": _openapi,
    }
)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=PROGRAM, description=DESCRIPTION, epilog=EPILOG, formatter_class=_Plain
    )
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")

    def add(name: str, summary: str, text: str) -> ArgumentParser:
        return commands.add_parser(name, help=summary, description=text, formatter_class=_Plain)

    _demo_options(add("demo", "a sandbox clinic with a plan, shown and served", DEMO))
    _serve_options(add("serve", "the HTTP service", SERVE))
    add("worker", "the work beside requests, on PostgreSQL", WORKER)
    add("migrate", "make or change the tables of the database", MIGRATE)
    _file_option(add("backup", "the whole database into one file, under load", BACKUP), "new")
    _file_option(add("restore", "a backup into a database that is empty", RESTORE), "backup")
    _check_options(add("check", "faults, doubts and failing start days of a protocol", CHECK))
    clinics_options(add("clinics", "make and list clinics", CLINICS))
    keys_options(add("keys", "make, list, rotate and revoke keys of callers", KEYS))
    clients_options(add("clients", "make, list and revoke clients that sign assertions", CLIENTS))
    audit_options(add("audit", "whether the account of access is whole", AUDIT))
    add("openapi", "print the OpenAPI document", OPENAPI)
    return parser


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Help whose texts keep their lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=96)


def _demo_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--no-serve", dest="serve", action="store_false", help="stop after printing"
    )
    parser.add_argument(
        "--port", type=_port, help="the port to serve on, 0 for any free one; else REGIMEN_PORT"
    )
    parser.add_argument(
        "--database",
        type=Path,
        default=Path("regimen-demo.db"),
        metavar="FILE",
        help="where to make the database: %(default)s; a former demo's file is replaced",
    )


def _serve_options(parser: ArgumentParser) -> None:
    parser.add_argument("--host", help="the address to listen on; else REGIMEN_HOST")
    parser.add_argument(
        "--port", type=_port, help="the port to listen on, 0 for any free one; else REGIMEN_PORT"
    )
    parser.add_argument(
        "--workers", type=_workers, default=1, help="how many processes; SQLite takes one"
    )
    parser.add_argument(
        "--migrate", action="store_true", help="make or change the tables first, if need be"
    )


def _file_option(parser: ArgumentParser, what: str) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help=f"the {what} file")


def _check_options(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the protocol, - for standard input")
    parser.add_argument(
        "--open",
        type=_weekdays,
        default=frozenset(range(1, 6)),
        metavar="DAYS",
        help="on which weekdays the clinic is open: mon-fri unless told, or tue,thu",
    )
    parser.add_argument(
        "--from",
        dest="first_day",
        type=_day,
        default=date(2027, 1, 1),
        metavar="DATE",
        help="the first start day of the year that is tried: %(default)s",
    )
    parser.add_argument(
        "--set",
        dest="parameters",
        type=_parameter,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value of a parameter, as often as needed",
    )
    parser.add_argument(
        "--no-simulation", dest="simulate", action="store_false", help="do not try start days"
    )


def _port(text: str) -> int:
    return whole_number(text, 0, 65535)


def _workers(text: str) -> int:
    return whole_number(text, 1, 64)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("must be a date such as 2027-01-01") from None
    if not 1900 <= day.year <= 2190:
        raise ArgumentTypeError("must be a date from 1900 to 2190")
    return day


def _weekdays(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            raise ArgumentTypeError("must be weekdays such as tue-fri or mon,wed,fri")
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        days |= {1 + (start + step) % 7 for step in range((end - start) % 7 + 1)}
    return frozenset(days)


def _parameter(text: str) -> tuple[str, str | int]:
    key, separator, value = text.partition("=")
    if not (key and separator and value):
        raise ArgumentTypeError("must look like primer_count=3")
    return key, int(value) if value.isascii() and value.isdecimal() else value


if __name__ == "__main__":
    sys.exit(main())
