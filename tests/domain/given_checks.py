"""Steps and checks that the tests of checks share."""

from typing import Any

from app.domain.checks import Checked, check_data
from tests.domain.given_documents import Data, document, step

NOTE = "Clinic practice; there is no trial of it."


def sourced(key: str, **members: Any) -> Data:
    """A step every figure of which is marked as a default."""
    names = ("timing", "repeat", "spacing", "timepoints", "span", "minutes", "segments")
    return step(key, **members) | {"sources": {name: ["cfg"] for name in names}}


def checked(*steps: Data, **members: Any) -> Checked:
    """What a check of these steps finds; parameters name their sources."""
    names = ("min", "default", "max", "options")
    for one in members.get("parameters", []):
        one["sources"] = {name: ["cfg"] for name in names}
    return check_data(document(*steps, **{"evidence_note": NOTE} | members))


def codes(found: Checked) -> dict[str, str]:
    return {warning.pointer: warning.code for warning in found.warnings}


def exactly(offset: str) -> Data:
    return {"earliest": offset, "target": offset, "latest": offset}
