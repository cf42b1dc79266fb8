"""Settings are read from the environment, and a wrong one is named."""

from dataclasses import fields

import pytest

from app.settings import (
    Environment,
    LogFormat,
    LogLevel,
    Settings,
    WrongSetting,
    variable,
)

SECRET = "a-secret-of-more-than-thirty-two-characters"


def test_nothing_set_gives_a_file_in_the_working_directory() -> None:
    settings = Settings.from_environ({"PATH": "/bin"})

    assert settings == Settings()
    assert settings.database_url == "sqlite+aiosqlite:///regimen.db"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)


GIVEN = {
    "REGIMEN_DATABASE_URL": "postgresql://regimen@db/regimen?sslmode=require",
    "REGIMEN_HOST": " 0.0.0.0 ",
    "REGIMEN_PORT": "80",
    "REGIMEN_ENVIRONMENT": "production",
    "REGIMEN_SECRET": SECRET,
    "REGIMEN_ALLOWED_HOSTS": "api.example.org, localhost,",
    "REGIMEN_ALLOWED_ORIGINS": "https://desk.example.org",
    "REGIMEN_POOL_SIZE": "20",
    "REGIMEN_WEBHOOK_RETRY_SECONDS": "0, 10,600",
    "REGIMEN_WEBHOOK_TIMEOUT_SECONDS": "5",
    "REGIMEN_WEBHOOK_LOOPBACK": "no",
    "REGIMEN_MAX_IN_FLIGHT": "32",
    "REGIMEN_RATE_LIMIT": "600",
    "REGIMEN_TRACES_ENDPOINT": "http://collector:4318/v1/traces",
    "REGIMEN_PUBLIC_URL": "https://plans.example.org",
    "REGIMEN_LOG_LEVEL": "warning",
    "REGIMEN_LOG_FORMAT": "json",
}


def test_every_setting_is_read_from_its_variable() -> None:
    settings = Settings.from_environ(GIVEN)

    assert settings == Settings(
        database_url="postgresql+asyncpg://regimen@db/regimen?ssl=require",
        host="0.0.0.0",
        port=80,
        environment=Environment.PRODUCTION,
        secret=SECRET,
        allowed_hosts=("api.example.org", "localhost"),
        allowed_origins=("https://desk.example.org",),
        pool_size=20,
        webhook_retry_seconds=(0, 10, 600),
        webhook_timeout_seconds=5,
        webhook_loopback=False,
        max_in_flight=32,
        rate_limit=600,
        traces_endpoint="http://collector:4318/v1/traces",
        public_url="https://plans.example.org",
        log_level=LogLevel.WARNING,
        log_format=LogFormat.JSON,
    )


@pytest.mark.parametrize(
    "name, value, text",
    [
        ("REGIMEN_DATABASE_URL", "mysql://h/d", "must begin with"),
        ("REGIMEN_DATABASE_URL", "nonsense", "must look like"),
        ("REGIMEN_HOST", " ", "is empty"),
        ("REGIMEN_PORT", "65536", "whole number from 0 to 65535"),
        ("REGIMEN_PORT", "-1", "whole number"),
        ("REGIMEN_PORT", "٣", "whole number"),
        ("REGIMEN_PORT", "9" * 5000, "whole number"),
        ("REGIMEN_POOL_SIZE", "0", "whole number from 1 to 100"),
        ("REGIMEN_WEBHOOK_RETRY_SECONDS", "5,soon", "whole number from 0 to 604800"),
        ("REGIMEN_WEBHOOK_TIMEOUT_SECONDS", "31", "whole number from 1 to 30"),
        ("REGIMEN_WEBHOOK_LOOPBACK", "true", "must be yes or no"),
        ("REGIMEN_MAX_IN_FLIGHT", "0", "whole number from 1 to 10000"),
        ("REGIMEN_RATE_LIMIT", "-1", "whole number from 0 to 1000000"),
        ("REGIMEN_TRACES_ENDPOINT", "collector:4318", "http://host:4318/v1/traces"),
        ("REGIMEN_PUBLIC_URL", "plans.example.org", "https://plans.example.org"),
        ("REGIMEN_PUBLIC_URL", "https://a.example/?b", "https://plans.example.org"),
        ("REGIMEN_ISSUER_KEYS", "http://idp.example/jwks", "https:// URL or a JWKS"),
        ("REGIMEN_ISSUER_KEYS", '{"kty": "EC"}', "https:// URL or a JWKS"),
        ("REGIMEN_ISSUER_KEYS", "[]", "https:// URL or a JWKS"),
        ("REGIMEN_ENVIRONMENT", "staging", "development, production"),
        ("REGIMEN_SECRET", "short", "at least 32 characters"),
        ("REGIMEN_LOG_LEVEL", "loud", "debug, info, warning, error"),
        ("REGIMEN_LOG_FORMAT", "xml", "console, json"),
    ],
)
def test_a_wrong_value_is_refused_by_its_variables_name(name: str, value: str, text: str) -> None:
    with pytest.raises(WrongSetting, match=f"^{name}.*{text}") as refused:
        Settings.from_environ({name: value})

    assert not value.strip() or f" {value} " not in str(refused.value)


def test_a_misspelt_variable_is_refused_with_those_there_are() -> None:
    with pytest.raises(WrongSetting, match=r"REGIMEN_PROT is not a setting.*REGIMEN_PORT"):
        Settings.from_environ({"REGIMEN_PROT": "80"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"REGIMEN_ALLOWED_HOSTS": "*"},
        {"REGIMEN_ALLOWED_ORIGINS": "*"},
        {"REGIMEN_ALLOWED_ORIGINS": "https://desk.example.org,http://desk.example.org"},
        {"REGIMEN_DATABASE_URL": "postgresql://regimen@db.example.org/regimen"},
        {"REGIMEN_DATABASE_URL": "postgresql://regimen@10.0.0.1/regimen?sslmode=prefer"},
        {"REGIMEN_DATABASE_URL": "postgresql://regimen@localhost/regimen?host=db.example.org"},
        {"REGIMEN_PUBLIC_URL": "http://plans.example.org"},
        {
            "REGIMEN_ISSUER_KEYS": "http://127.0.0.1:9000/jwks",
            "REGIMEN_ISSUER_AUDIENCE": "regimen",
            "REGIMEN_ISSUER": "https://login.example.org",
        },
        {"REGIMEN_RATE_LIMIT": "0"},
        {"REGIMEN_WEBHOOK_LOOPBACK": "yes"},
        {"REGIMEN_LOG_LEVEL": "debug"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_production_refuses_what_is_only_for_trying_out(wrong: dict[str, str]) -> None:
    good = {"REGIMEN_ENVIRONMENT": "production", "REGIMEN_SECRET": SECRET}
    Settings.from_environ(good)

    with pytest.raises(WrongSetting, match=next(iter(wrong))):
        Settings.from_environ(good | wrong)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///regimen.db",
        "postgresql://regimen@localhost/regimen",
        "postgresql://regimen@/regimen?host=/run/postgresql",
        "postgresql://regimen@db.example.org/regimen?sslmode=verify-full",
    ],
)
def test_production_takes_a_database_to_which_nobody_can_listen(url: str) -> None:
    good = {"REGIMEN_ENVIRONMENT": "production", "REGIMEN_SECRET": SECRET}

    assert Settings.from_environ(good | {"REGIMEN_DATABASE_URL": url}).database_url


def test_production_refuses_the_default_secret() -> None:
    with pytest.raises(WrongSetting, match="REGIMEN_SECRET must be set"):
        Settings.from_environ({"REGIMEN_ENVIRONMENT": "production"})


def test_every_field_can_be_set() -> None:
    with pytest.raises(WrongSetting) as refused:
        Settings.from_environ({"REGIMEN_NOTHING": ""})

    known = str(refused.value).partition("there are: ")[2].split(", ")
    assert known == [variable(field.name) for field in fields(Settings)]
