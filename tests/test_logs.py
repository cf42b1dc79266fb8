"""Log lines are whole lines, for people or machines, and never hold an exception's text."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from app.logs import JsonLines, Lines, configure_logs
from app.persistence.lending import CountingPool
from app.settings import LogFormat, LogLevel, Settings


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    yield
    # The test runner has put in others of its own meanwhile.
    root.handlers[:] = [
        handler for handler in root.handlers if not isinstance(handler.formatter, Lines | JsonLines)
    ]
    root.setLevel(level)


def raised() -> None:
    """Log an exception whose text holds what nobody may read."""
    try:
        raise ValueError("Example, Alex")
    except ValueError:
        logging.getLogger("app.demo").exception("it failed")


def test_people_read_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings())

    logging.getLogger("app.demo").info("ready after %s ms", 12)

    assert capsys.readouterr().err.endswith("Z info app.demo: ready after 12 ms\n")


def test_machines_read_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings(log_format=LogFormat.JSON))

    raised()

    entry = json.loads(capsys.readouterr().err)
    assert (entry["level"], entry["logger"], entry["text"]) == ("error", "app.demo", "it failed")
    assert entry["error"].startswith("ValueError < ")
    assert sys._getframe().f_code.co_filename in entry["error"]


def test_what_pools_and_clients_say_of_themselves_is_not_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs(Settings(log_level=LogLevel.DEBUG))

    logging.getLogger(f"{CountingPool.__module__}.CountingPool").info("connection lost: %s", "why")
    logging.getLogger("httpx").info("HTTP Request: POST %s", "https://example.org/secret")

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("log_format", LogFormat)
def test_the_text_of_an_exception_is_not_logged(
    log_format: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(Settings(log_format=log_format))

    raised()

    shown = capsys.readouterr().err
    assert "ValueError" in shown
    assert "Alex" not in shown


def test_no_exception_has_no_place(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings())

    nothing = (None, None, None)
    record = logging.LogRecord("app.demo", logging.ERROR, "", 0, "nothing was raised", (), nothing)
    logging.getLogger().handle(record)

    assert capsys.readouterr().err.endswith("nothing was raised (no exception)\n")


def test_less_important_lines_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Settings(log_level=LogLevel.WARNING))

    logging.getLogger("app.demo").info("unimportant")
    logging.getLogger("uvicorn.error").info("started")

    assert capsys.readouterr().err == ""
