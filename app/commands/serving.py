"""The command `serve`: the HTTP service in one process, or on PostgreSQL in several."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from errno import EADDRINUSE
from tempfile import TemporaryDirectory

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from app.api.connections import Connection
from app.api.metrics import SHARED_FIGURES
from app.commands.databases import (
    described,
    looks_over_clinics,
    require_service,
    served_alone,
    sqlite_file,
)
from app.commands.failures import CommandFailed
from app.logs import configure_logs
from app.main import create_app, is_for_trying_out
from app.settings import Environment, Settings, variable

MAX_WORKERS = 64
# Requests under way get this long to end after the signal to stop.
STOP_SECONDS = 20
# Longer than proxies keep idle connections: else they would now and then use one just closed.
IDLE_SECONDS = 75


def serve(settings: Settings, *, workers: int = 1) -> None:
    """Serve until a signal says stop. Raises CommandFailed when that is not possible."""
    if workers > 1 and sqlite_file(settings.database_url) is not None:
        raise CommandFailed(
            "SQLite is served by one process: leave --workers out, "
            "or set REGIMEN_DATABASE_URL to a PostgreSQL database"
        )
    with ExitStack() as held:
        sock = held.enter_context(listening(settings.host, settings.port))
        settings = replace(settings, port=port_of(sock))
        require_service(settings, hint=", or start with `python -m app serve --migrate`")
        held.enter_context(served_alone(settings.database_url))
        configure_logs(settings)
        sys.stdout.write(
            f"Regimen serves {described(settings.database_url)}\n"
            f"  at   {address(sock)}\n"
            f"  docs {address(sock)}/docs\n"
            f"{beside(settings)}"
            f"{_who_may_call(settings)}"
            "Ctrl-C stops it.\n"
        )
        sys.stdout.flush()
        if workers > 1:
            # They read the environment for themselves, and must know where they listen.
            os.environ[variable("host")] = settings.host
            os.environ[variable("port")] = str(settings.port)
            serve_in_workers(sock, workers)
        else:
            serve_on(sock, create_app(settings))


def beside(settings: Settings) -> str:
    """What is to be known of the worker, which runs beside the service on PostgreSQL."""
    if sqlite_file(settings.database_url) is not None:
        return ""
    told = "Batches and webhooks are done by `python -m app worker`, to be run beside it.\n"
    is_production = settings.environment is Environment.PRODUCTION
    if is_production and looks_over_clinics(settings.database_url):
        told += (
            "Its role may look over all clinics, as only the worker must: give that one a role of "
            "its own (REGIMEN_WORKER_ROLE).\n"
        )
    return told


def _who_may_call(settings: Settings) -> str:
    if is_for_trying_out(settings):
        return "Until there is a key, whoever is on this machine may call without one.\n"
    return "Callers need a key: `python -m app keys create admin --role admin` makes the first.\n"


def serve_on(sock: socket.socket, app: FastAPI) -> None:
    """Serve an application in this process."""
    uvicorn.Server(_config(app)).run(sockets=[sock])


def serve_in_workers(sock: socket.socket, workers: int) -> None:
    """Serve in processes of their own, each with an application made by `application`."""
    config = _config("app.commands.serving:application", factory=True, workers=workers)
    with TemporaryDirectory(prefix="regimen-figures-") as folder:
        os.environ[SHARED_FIGURES] = folder
        Multiprocess(config, sockets=[sock]).run()


def application() -> FastAPI:
    """The application of one of several processes; it reads the environment for itself."""
    settings = Settings.from_environ(os.environ)
    configure_logs(settings)
    return create_app(settings)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket on which clients are waited for. Raises CommandFailed when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family)
    except OSError as error:
        raise CommandFailed(_cannot_listen(host, port, error)) from error
    with sock:
        sock.set_inheritable(True)
        yield sock


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    if error.errno == EADDRINUSE:
        hint = "choose another with --port, 0 takes any that is free"
        return f"port {port} of {host} is in use: {hint}"
    why = (error.strerror or str(error)).partition(" (while")[0].lower()
    return f"cannot listen on port {port} of {host}: {why}"


def port_of(sock: socket.socket) -> int:
    """The port that was given where any was asked for."""
    return int(sock.getsockname()[1])


def address(sock: socket.socket) -> str:
    """Where a person on this machine finds what listens here."""
    host, port = sock.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)  # noqa: S104
    return f"http://{name}:{port}"


def _config(app: FastAPI | str, **options: int | bool) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        # Access logs would hold addresses with queries; our own set-up is kept.
        access_log=False,
        log_config=None,
        server_header=False,
        # Nobody is believed about whom they forward for.
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        **options,  # type: ignore[arg-type] # a few of many, passed on by name
    )
