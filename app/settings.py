"""What an operator can set, read once from the environment into one frozen object."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from app.persistence.database import UnsuitableDatabase, driver_url, is_guarded

PREFIX = "REGIMEN_"
DEFAULT_SECRET = "regimen-development-secret"  # noqa: S105 # refused in production
MIN_SECRET_LENGTH = 32


class WrongSetting(Exception):
    """A variable that cannot be used; the text names it and says what is expected."""


class Environment(StrEnum):
    """Where this process runs: production refuses what is only good for trying out."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class LogFormat(StrEnum):
    """How log lines look: for people or for machines."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important log line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting; field ``pool_size`` is the variable ``REGIMEN_POOL_SIZE``."""

    database_url: str = "sqlite+aiosqlite:///regimen.db"
    """The database: `sqlite:///file.db`, `sqlite:////absolute/file.db` or `postgresql://…`."""

    app_role: str = ""
    """The PostgreSQL role as which the service runs: `migrate` lets it read and write rows."""

    worker_role: str = ""
    """The PostgreSQL role as which the worker runs, where it has one of its own: `migrate` lets
    it, and besides the tables' owner nobody else, find what waits in all clinics."""

    host: str = "127.0.0.1"
    """The address on which `serve` listens."""

    port: int = 8000
    """The port on which `serve` listens, 0 for any free one."""

    environment: Environment = Environment.DEVELOPMENT
    """`development` or `production`; production refuses a default secret and wildcards."""

    secret: str = DEFAULT_SECRET
    """Signs list cursors, and what webhooks are signed with is derived from it; at least 32
    characters, the same for all processes of one database."""

    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    """Host names by which clients may call, separated by commas; `*` allows any."""

    allowed_origins: tuple[str, ...] = ()
    """Origins of browser applications that may call, separated by commas."""

    pool_size: int = 10
    """Connections to PostgreSQL per process, 1 to 100; SQLite readers at most this many."""

    webhook_retry_seconds: tuple[int, ...] = (
        *(5, 30, 120, 600, 1800),
        *(3600, 10800, 21600, 43200),
        *(86400, 86400, 86400, 86400),
    )
    """Waits between the attempts of one webhook delivery, separated by commas; then it is dead."""

    webhook_timeout_seconds: int = 10
    """How long one attempt at a webhook may take, 1 to 30."""

    webhook_loopback: bool = False
    """Whether webhooks may be of this machine, also without TLS: `yes` or `no`; for development."""
    max_in_flight: int = 64
    """Requests that a process works on at once, 1 to 10000; more are answered 503."""

    rate_limit: int = 6000
    """Requests a minute from one caller and process, to 1000000; 0 for any number, of wrong
    keys, too."""

    traces_endpoint: str = ""
    """Where spans are sent, as `http://collector:4318/v1/traces` (OTLP); empty for nowhere."""

    public_url: str = ""
    """Where clients find the service: their assertions are meant for its `/oauth/token`, and
    FHIR's links begin with it; empty for the port it listens on, on this machine."""

    issuer: str = ""
    """An outside OpenID Connect issuer whose tokens are taken; empty for none."""

    issuer_audience: str = ""
    """What the outside issuer's tokens must be meant for."""

    issuer_keys: str = ""
    """The issuer's public keys: an `https://` URL, in development also an `http://` one of this
    machine, or a JWKS as it stands."""

    issuer_clinic_claim: str = "clinic_id"
    """The claim that holds the id of the caller's clinic."""

    issuer_role_claim: str = "role"
    """The claim that holds the caller's role, or a list with one of our roles in it."""

    issuer_token_minutes: int = 60
    """How long the issuer's tokens may hold, in minutes, 1 to 1440; nobody can revoke one here."""

    access_kept_days: int = 2190
    """How long it is kept who read or changed patients' data, in days, 30 to 36500."""

    log_level: LogLevel = LogLevel.INFO
    """`debug`, `info`, `warning` or `error`."""

    log_format: LogFormat = LogFormat.CONSOLE
    """`console` for people, `json` for machines."""

    @property
    def base_url(self) -> str:
        """Where clients find the service, without a slash at the end."""
        return (self.public_url or f"http://127.0.0.1:{self.port}").rstrip("/")

    @property
    def takes_keys_of_this_machine(self) -> bool:
        """Whether public keys may be found on this machine, also without TLS."""
        return self.environment is Environment.DEVELOPMENT

    def __post_init__(self) -> None:
        if self.issuer and not (self.issuer_audience and self.issuer_keys):
            raise WrongSetting(
                "REGIMEN_ISSUER needs REGIMEN_ISSUER_AUDIENCE and REGIMEN_ISSUER_KEYS"
            )
        if self.environment is Environment.PRODUCTION:
            self._refuse_what_is_only_for_trying_out()

    def _refuse_what_is_only_for_trying_out(self) -> None:
        insecure = [one for one in self.allowed_origins if not one.startswith("https://")]
        unsafe = {
            "REGIMEN_SECRET must be set": self.secret == DEFAULT_SECRET,
            "REGIMEN_ALLOWED_HOSTS may not be *": "*" in self.allowed_hosts,
            "REGIMEN_ALLOWED_ORIGINS may not be *": "*" in self.allowed_origins,
            "REGIMEN_ALLOWED_ORIGINS must begin with https://": bool(insecure),
            "REGIMEN_DATABASE_URL must say ?sslmode=verify-full for a database elsewhere, which "
            "`require` or `verify-ca` weaken": not is_guarded(self.database_url),
            "REGIMEN_PUBLIC_URL must begin with https://": self.public_url.startswith("http://"),
            "REGIMEN_ISSUER_KEYS must be an https:// URL": self.issuer_keys.startswith("http://"),
            "REGIMEN_RATE_LIMIT may not be 0": self.rate_limit == 0,
            "REGIMEN_WEBHOOK_LOOPBACK may not be yes": self.webhook_loopback,
            "REGIMEN_LOG_LEVEL may not be debug": self.log_level is LogLevel.DEBUG,
        }
        for text, is_so in unsafe.items():
            if is_so:
                raise WrongSetting(f"{text} (in production)")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the ``REGIMEN_…`` variables; an absent one keeps its default.

        Raises WrongSetting, naming the variable, for a value that cannot be used and for a
        variable that does not exist: a misspelt one would otherwise be a silent default.
        """
        given = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environ.items()
            if name.startswith(PREFIX)
        }
        unknown = sorted(given.keys() - _READERS.keys())
        if unknown:
            known = ", ".join(variable(field) for field in _READERS)
            raise WrongSetting(f"{variable(unknown[0])} is not a setting; there are: {known}")
        return replace(cls(), **{name: _READERS[name](name, given[name]) for name in given})


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def _database_url(field: str, value: str) -> str:
    try:
        return driver_url(value)
    except UnsuitableDatabase as error:
        raise WrongSetting(f"{variable(field)}: {error}") from None


def _url_like(example: str, pattern: str) -> Callable[[str, str], str]:
    def read(field: str, value: str) -> str:
        if value and not re.fullmatch(pattern, value):
            raise WrongSetting(f"{variable(field)} must look like {example}")
        return value

    return read


def _text(field: str, value: str) -> str:
    if not value.strip():
        raise WrongSetting(f"{variable(field)} is empty")
    return value.strip()


def _keys(field: str, value: str) -> str:
    """An address from which keys are had, or the keys themselves (RFC 7517)."""
    if not re.match(r"https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/]", value):
        try:
            is_key_set = isinstance(json.loads(value)["keys"], list)
        except (KeyError, TypeError, ValueError, RecursionError):
            is_key_set = False
        if not is_key_set:
            raise WrongSetting(f"{variable(field)} must be an https:// URL or a JWKS")
    return value


def _role(field: str, value: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", value):
        raise WrongSetting(f"{variable(field)} must be a role's name in lower case")
    return value


def _secret(field: str, value: str) -> str:
    if len(value) < MIN_SECRET_LENGTH:
        raise WrongSetting(f"{variable(field)} must have at least {MIN_SECRET_LENGTH} characters")
    return value


def _names(_field: str, value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


def _whole_number(least: int, most: int) -> Callable[[str, str], int]:
    def read(field: str, value: str) -> int:
        if not (value.isascii() and value.isdecimal() and least <= int(value[:10]) <= most):
            raise WrongSetting(f"{variable(field)} must be a whole number from {least} to {most}")
        return int(value)

    return read


def _whole_numbers(least: int, most: int) -> Callable[[str, str], tuple[int, ...]]:
    read_one = _whole_number(least, most)

    def read(field: str, value: str) -> tuple[int, ...]:
        return tuple(read_one(field, part.strip()) for part in value.split(","))

    return read


def _yes_or_no(field: str, value: str) -> bool:
    if value not in {"yes", "no"}:
        raise WrongSetting(f"{variable(field)} must be yes or no")
    return value == "yes"


def _one_of(choices: type[StrEnum]) -> Callable[[str, str], StrEnum]:
    def read(field: str, value: str) -> StrEnum:
        if value not in {choice.value for choice in choices}:
            raise WrongSetting(f"{variable(field)} must be one of: {', '.join(choices)}")
        return choices(value)

    return read


_READERS: Mapping[str, Callable[[str, str], Any]] = MappingProxyType(
    {
        "database_url": _database_url,
        "app_role": _role,
        "worker_role": _role,
        "host": _text,
        "port": _whole_number(0, 65535),
        "environment": _one_of(Environment),
        "secret": _secret,
        "allowed_hosts": _names,
        "allowed_origins": _names,
        "pool_size": _whole_number(1, 100),
        "webhook_retry_seconds": _whole_numbers(0, 604800),
        "webhook_timeout_seconds": _whole_number(1, 30),
        "webhook_loopback": _yes_or_no,
        "max_in_flight": _whole_number(1, 10_000),
        "rate_limit": _whole_number(0, 1_000_000),
        "traces_endpoint": _url_like("http://host:4318/v1/traces", r"https?://[^/\s]+/\S*"),
        "public_url": _url_like("https://plans.example.org", r"https?://[^\s?#]+"),
        "issuer": _text,
        "issuer_audience": _text,
        "issuer_keys": _keys,
        "issuer_clinic_claim": _text,
        "issuer_role_claim": _text,
        "issuer_token_minutes": _whole_number(1, 1440),
        "access_kept_days": _whole_number(30, 36_500),
        "log_level": _one_of(LogLevel),
        "log_format": _one_of(LogFormat),
    }
)
