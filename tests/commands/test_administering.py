"""Clinics and keys are made at the command line, before anybody can call."""

import asyncio
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from app.__main__ import main
from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.database import open_database
from app.services.access import Account, Asked
from app.services.credentials import find_key
from tests.persistence.given import NOW

Captured = pytest.CaptureFixture[str]
KEY = re.compile(r"rgm_[a-z2-9]{10}_[\w-]{65}")


@pytest.fixture(autouse=True)
def url(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated database, which the commands are told of."""
    monkeypatch.setenv("REGIMEN_DATABASE_URL", sqlite_url)
    return sqlite_url


def done(capsys: Captured, *words: str) -> str:
    """What a command that works prints."""
    assert main(words) == 0
    return capsys.readouterr().out.strip()


def refused(capsys: Captured, *words: str) -> str:
    """What a command that fails says."""
    assert main(words) == 1
    return capsys.readouterr().err.strip()


def caller_of(url: str, key: str) -> str | None:
    """Who calls by a key."""

    async def find() -> str | None:
        database = open_database(url)
        found = await find_key(database, key, now=NOW)
        await database.dispose()
        return None if found is None else found.caller.actor

    return asyncio.run(find())


def test_a_clinic_is_made_and_listed(capsys: Captured) -> None:
    made = done(capsys, "clinics", "create", "West clinic", "--sandbox")

    listed = done(capsys, "clinics", "list")
    assert made.split()[0] in listed
    assert re.search(r"West clinic +\d{4}-\d\d-\d\d +sandbox", listed)
    assert "Default clinic" in listed


def test_a_key_stands_alone_on_the_standard_output(capsys: Captured, url: str) -> None:
    key = done(capsys, "keys", "create", "booking", "--role", "front-desk")

    assert KEY.fullmatch(key)
    assert caller_of(url, key) == "key:booking"


def test_keys_are_listed_without_their_secret(capsys: Captured) -> None:
    key = done(capsys, "keys", "create", "booking", "--role", "front-desk", "--days", "30")

    listed = done(capsys, "keys", "list")
    assert re.search(rf"{key[:14]} +booking +front-desk", listed)
    assert key not in listed


def test_a_key_is_rotated_and_revoked_by_its_beginning(capsys: Captured, url: str) -> None:
    old = done(capsys, "keys", "create", "booking", "--role", "front-desk")
    said = done(capsys, "keys", "rotate", old[:14], "--overlap-hours", "0", "--days", "3650")
    new = said.split()[0]

    assert (caller_of(url, old), caller_of(url, new)) == (None, "key:booking")

    done(capsys, "keys", "revoke", new[:14])
    assert caller_of(url, new) is None


def test_where_there_are_several_clinics_one_is_named(capsys: Captured, url: str) -> None:
    done(capsys, "clinics", "create", "West")

    said = refused(capsys, "keys", "create", "desk", "--role", "admin")
    key = done(capsys, "keys", "create", "desk", "--role", "admin", "--clinic", "West")

    assert "name one by its id" in said
    assert caller_of(url, key) == "key:desk"


@pytest.mark.parametrize(
    "words, text",
    [
        (("keys", "create", "a", "--role", "boss"), "'boss' must be one of: front-desk"),
        (("keys", "create", "a", "--role", "admin", "--scope", "x"), "'x' must be one of: plans"),
        (
            ("keys", "create", "a", "--role", "read-only", "--scope", "admin"),
            "role 'read-only' does not have admin",
        ),
        (("keys", "create", "a", "--role", "admin", "--clinic", "East"), "no such clinic"),
        (("keys", "revoke", "rgm_nothing"), "there is no such key"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_cannot_be_done_is_said(words: tuple[str, ...], text: str, capsys: Captured) -> None:
    assert text in refused(capsys, *words)


@pytest.mark.parametrize("name", ["Desk", "two words", "x" * 65, ""])
def test_a_name_that_would_not_be_read_well_is_not_understood(name: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit):
        main(["keys", "create", name, "--role", "admin"])

    assert "must be lower-case letters" in capsys.readouterr().err


def test_a_client_is_made_listed_and_revoked(capsys: Captured, tmp_path: Path) -> None:
    keys = {"keys": [dict(ECKey.generate_key("P-384").as_dict(private=False))]}
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(keys))

    made = done(capsys, "clients", "create", "ehr", "--role", "integration", "--jwks", str(file))
    listed = done(capsys, "clients", "list")
    done(capsys, "clients", "revoke", made)

    assert re.search(rf"{made} +ehr +integration", listed)
    assert "there is no such client" in refused(capsys, "clients", "revoke", made)
    assert "there is no such client" in refused(capsys, "clients", "revoke", "rgc_x")


@pytest.mark.parametrize(
    "content, text",
    [
        ("{", "it is no JSON"),
        ("[]", "is not one of RFC 7517"),
        ('{"keys": []}', "is not one of RFC 7517"),
        (json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}), "P-384"),
        (json.dumps({"keys": [ECKey.generate_key("P-384").as_dict(private=True)]}), "a private"),
    ],
    ids=["no json", "a list", "empty", "weak", "private"],
)
def test_keys_that_cannot_be_used_are_refused(
    content: str, text: str, capsys: Captured, tmp_path: Path
) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(content)

    said = refused(capsys, "clients", "create", "ehr", "--role", "admin", "--jwks", str(file))

    assert text in said


def test_keys_are_not_looked_for_in_the_own_network(capsys: Captured) -> None:
    url = "https://10.0.0.1/jwks.json"

    said = refused(capsys, "clients", "create", "ehr", "--role", "admin", "--jwks-url", url)

    assert "not a public one" in said


def test_to_try_it_out_keys_may_be_of_this_machine(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("clients", "create", "ehr", "--role", "admin", "--jwks-url", "http://127.0.0.1:9/keys")
    assert done(capsys, *asked).startswith("rgc_")

    monkeypatch.setenv("REGIMEN_ENVIRONMENT", "production")
    monkeypatch.setenv("REGIMEN_SECRET", "s" * 40)
    assert "must begin with https://" in refused(capsys, *asked)


def test_an_account_of_access_that_was_altered_is_found(capsys: Captured, url: str) -> None:
    file = url.partition("///")[2]
    asyncio.run(account(url))

    whole = done(capsys, "audit", "verify")

    assert re.search(
        r"Default clinic: accesses 1 since \d{4}-\d\d-\d\d, batches 1, last 1 [0-9a-f]{64}$", whole
    )
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE access_batches SET at = '2026-01-01T00:00:00.000000Z'")
    assert refused(capsys, "audit", "verify").endswith("batch 1 was altered")


def test_an_account_of_access_that_was_written_anew_is_found_by_a_hash_that_was_noted(
    capsys: Captured, url: str
) -> None:
    asyncio.run(account(url))
    noted = done(capsys, "audit", "verify").split()[-1]
    asyncio.run(account(url))
    assert done(capsys, "audit", "verify", "--noted", noted)

    with closing(sqlite3.connect(url.partition("///")[2])) as connection, connection:
        for table in ("access_patients", "access_batches", "access_chains"):
            connection.execute(f"DELETE FROM {table}")
    asyncio.run(account(url, "key:nobody"))

    assert done(capsys, "audit", "verify")
    assert "noted hashes that no account has: 1" in refused(
        capsys, "audit", "verify", "--noted", noted
    )


async def account(url: str, credential: str = "key:booking") -> None:
    """One read, accounted for."""
    database = open_database(url)
    kept = Account(database, lambda: NOW)
    kept.note_read(Asked(DEFAULT_CLINIC_ID, credential, "list_plans", {}), b"{}")
    await kept.commit()
    await database.dispose()
