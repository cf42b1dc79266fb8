"""Runs this program as its users do: as a process of its own, which is always stopped."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from queue import Empty, Queue
from urllib.parse import urlsplit

HOUSE = Path(__file__).parents[1]
PATIENCE_SECONDS = 60


def environ(**given: str) -> dict[str, str]:
    """The environment without settings of whoever runs the tests, and with those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REGIMEN_")}
    return {**kept, "PYTHONPATH": str(HOUSE), **given}


@dataclass(frozen=True, slots=True)
class Running:
    """A process and what it said so far."""

    process: "subprocess.Popen[str]"
    said: list[str] = field(default_factory=list)
    _lines: "Queue[str | None]" = field(default_factory=Queue)

    def wait_for(self, start: str) -> str:
        """Read on until a line begins so, and give the line."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE_SECONDS)
            except Empty:
                raise AssertionError(f"nothing begins with {start!r} in {self.said}") from None
            if line is None:
                raise AssertionError(f"it ended: {''.join(self.said)}")
            self.said.append(line)
            if line.strip().startswith(start):
                return line.strip()

    def rest(self) -> list[str]:
        """What else a process said that has ended."""
        lines: list[str] = []
        while (line := self._lines.get(timeout=PATIENCE_SECONDS)) is not None:
            lines.append(line)
        return lines

    def stop(self, number: signal.Signals) -> int:
        """Ask it to stop, and give the status with which it did."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def interrupt(self) -> int:
        """Do as Ctrl-C does, which reaches everything that was started in a terminal."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(PATIENCE_SECONDS)

    def listen(self) -> None:
        """Take in what it says."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)


@contextmanager
def running(command: list[str], *, cwd: Path, env: Mapping[str, str]) -> Iterator[Running]:
    """A process that runs while the block does; both its outputs are read as one."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        run = Running(process)
        listener = threading.Thread(target=run.listen)
        listener.start()
        try:
            yield run
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            listener.join()


def regimen(*arguments: str) -> list[str]:
    """The command line of this program, with warnings as errors."""
    return [sys.executable, "-W", "error", "-m", "app", *arguments]


def get(url: str) -> tuple[int, str, bytes]:
    """Ask over a real connection: status, media type, body."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        return answer.status, answer.headers.get_content_type(), answer.read()
    finally:
        connection.close()
