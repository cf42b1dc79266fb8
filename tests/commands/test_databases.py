"""In production PostgreSQL must be able to keep clinics apart; a SQLite file is served once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.__main__ import main
from app.commands.databases import require_service, served_alone
from app.commands.demo import start_afresh
from app.settings import Environment, Settings
from tests.postgres import APP_ROLE, OWNER, PASSWORD, administrate, as_role
from tests.processes import environ

SECRET = "s" * 40
SEES_ALL = "regimen_test_sees_all"


@pytest.fixture
def sees_all(postgres_database: str) -> Iterator[str]:
    """The address for a role that is no superuser, and from which no row is hidden."""
    administrate(postgres_database, f"DROP ROLE IF EXISTS {SEES_ALL}")
    administrate(
        postgres_database,
        f"CREATE ROLE {SEES_ALL} LOGIN BYPASSRLS PASSWORD '{PASSWORD}' IN ROLE pg_read_all_data",
    )
    yield as_role(SEES_ALL, postgres_database)
    administrate(postgres_database, f"DROP ROLE {SEES_ALL}")


@pytest.mark.parametrize("command", ["serve", "worker"])
@pytest.mark.parametrize("kind", ["postgres_database", "sees_all"])
def test_a_role_from_which_no_row_is_hidden_does_not_serve_in_production(
    command: str,
    kind: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {
        "REGIMEN_DATABASE_URL": str(request.getfixturevalue(kind)),
        "REGIMEN_ENVIRONMENT": "production",
        "REGIMEN_SECRET": SECRET,
        "REGIMEN_PORT": "0",
    }
    for name, value in environ(**given).items():
        monkeypatch.setenv(name, value)

    assert main([command]) == 1

    what = {"postgres_database": "is a superuser", "sees_all": "has BYPASSRLS"}[kind]
    assert f"cannot be used: its role {what}" in capsys.readouterr().err


@pytest.mark.parametrize("role", [APP_ROLE, OWNER])
def test_a_role_that_sees_one_clinic_at_a_time_does(role: str, postgres_database: str) -> None:
    url = as_role(role, postgres_database)

    require_service(Settings(database_url=url, environment=Environment.PRODUCTION, secret=SECRET))


def test_whoever_tries_it_out_may_be_anybody(postgres_database: str) -> None:
    require_service(Settings(database_url=postgres_database))


def test_a_file_has_no_roles(sqlite_url: str) -> None:
    require_service(
        Settings(database_url=sqlite_url, environment=Environment.PRODUCTION, secret=SECRET)
    )


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["serve", "--port", "0"], id="served again"),
        pytest.param(["demo", "--no-serve", "--database", "regimen.db"], id="made afresh"),
    ],
)
def test_a_file_that_is_served_is_neither_served_again_nor_made_afresh(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGIMEN_DATABASE_URL", "sqlite:///regimen.db")
    file = tmp_path / "regimen.db"
    start_afresh(file)
    main(["migrate"])
    before = file.stat().st_ino

    with served_alone("sqlite:///regimen.db"):
        assert main(command) == 1

    assert "regimen.db is served by another process" in capsys.readouterr().err
    assert file.stat().st_ino == before
