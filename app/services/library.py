"""The built-in protocols, examples until a clinician approves them, and the default rules."""

from functools import cache
from importlib.resources import files
from typing import Any

from app.domain.documents import (
    ClinicRules,
    ProtocolDocument,
    VersionName,
    expand,
    parse_clinic_rules,
    versions_included,
)

_LIBRARY = "app.library"
_CLINIC_RULES = "clinic-rules"


@cache
def library_keys() -> tuple[str, ...]:
    """The keys of the built-in protocols, in alphabetical order."""
    names = (file.name for file in files(_LIBRARY).iterdir())
    keys = (name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))
    return tuple(sorted(key for key in keys if key != _CLINIC_RULES))


@cache
def library_protocol(key: str) -> ProtocolDocument:
    """One of the built-in protocols, with what it includes of the others."""
    data = _read(key)
    return expand(data, library_parts(data)).document


def library_parts(data: Any) -> dict[VersionName, ProtocolDocument]:
    """The built-in protocols which a written document includes."""
    known = library_keys()
    parts = (library_protocol(key) for key, _ in sorted(versions_included(data)) if key in known)
    return {(part.key, part.version): part for part in parts}


def library_protocols() -> tuple[ProtocolDocument, ...]:
    """Every built-in protocol, by key."""
    return tuple(library_protocol(key) for key in library_keys())


@cache
def library_clinic_rules() -> ClinicRules:
    """The rules of a clinic that has not saved its own."""
    return parse_clinic_rules(_read(_CLINIC_RULES))


def _read(name: str) -> object:
    # Our own files, whose words no resolver misreads (a test holds it): the quick loader will do.
    import yaml  # noqa: PLC0415 - the library is seldom installed

    text = files(_LIBRARY).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.CSafeLoader)
