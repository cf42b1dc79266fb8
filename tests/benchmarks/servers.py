"""Starts servers as processes of their own, waits until they answer, and looks at their memory."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.figures import Figure, table
from tests.postgres import PostgresUnavailable, running_postgres

START_SECONDS = 30
STOP_SECONDS = 10
ROOT = Path(__file__).parents[2]
# As the image runs it.
COMPILED = {
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONNODEBUGRANGES": "1",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
    "MALLOC_MMAP_THRESHOLD_": "32768",
    "MALLOC_TRIM_THRESHOLD_": "131072",
    "PYTHONPYCACHEPREFIX": tempfile.gettempdir() + "/regimen-bench-bytecode",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens, its process, and how long it took to be ready."""

    port: int
    process: "subprocess.Popen[bytes]"
    ready_after: float

    def cpu_seconds(self) -> float:
        """What the process has computed so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        user, system = stat.rpartition(") ")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def resident_mebibytes(self) -> float:
        """The memory of the process that is in RAM now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


@contextmanager
def running(
    arguments: Sequence[str], environ: Mapping[str, str], *, ready: str = "/health/ready"
) -> Iterator[Server]:
    """A server started by ``python -m <arguments>``; ``{port}`` is a free port.

    Its modules are compiled by the first that imports them, as an image compiles them beforehand.
    """
    port = _free_port()
    command = [sys.executable, "-m", *(part.format(port=port) for part in arguments)]
    own = {name: value.format(port=port) for name, value in {**COMPILED, **environ}.items()}
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **own}, stdout=subprocess.DEVNULL
    )
    try:
        _wait(process, port, ready)
        yield Server(port, process, time.perf_counter() - begin)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(process: "subprocess.Popen[bytes]", port: int, path: str) -> None:
    give_up = time.perf_counter() + START_SECONDS
    while time.perf_counter() < give_up:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        if _answers(port, path):
            return
        time.sleep(0.004)
    raise RuntimeError("the server did not become ready")


def _answers(port: int, path: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as asked:
            asked.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            return asked.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def report(measure: Callable[[str], Iterable[Figure]], **options: str) -> int:
    """Print what is measured on a PostgreSQL; 1 when something that must be reached is not."""
    try:
        with running_postgres(os.environ, **options) as server:
            found = list(measure(server))
    except PostgresUnavailable as error:
        print(f"NOT MEASURED: {error}", file=sys.stderr)
        return 1
    print(table(found))
    return 1 if any(figure.mark == "MISSED" for figure in found) else 0
