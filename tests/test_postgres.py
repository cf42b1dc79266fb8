"""The tests' own PostgreSQL starts, or says why it cannot."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests import postgres
from tests.postgres import PostgresUnavailable, running_postgres


def test_a_given_server_is_used_as_it_is() -> None:
    with running_postgres({"TEST_POSTGRES_URL": "postgresql://elsewhere/db"}) as url:
        assert url == "postgresql://elsewhere/db"


def test_without_the_package_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "PACKAGE", "no_such_package")

    with (
        pytest.raises(PostgresUnavailable, match="no_such_package is not installed"),
        running_postgres({}),
    ):
        pass


def test_a_package_of_another_shape_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "PROGRAMS", "pginstall99")

    with pytest.raises(PostgresUnavailable, match="has no pginstall99"), running_postgres({}):
        pass


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, postgres_server: str
) -> None:
    del postgres_server  # Where none can be started this cannot be tried.
    monkeypatch.setattr(postgres, "OPTIONS", {"no_such_option": "1"})

    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr("tempfile.tempdir", folder)
        with pytest.raises(PostgresUnavailable, match="no_such_option"), running_postgres({}):
            pass
        assert list(Path(folder).iterdir()) == []
