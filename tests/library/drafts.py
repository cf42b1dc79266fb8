"""The clinical drafts from which the library was written, and the figures in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

Data = dict[str, Any]
Days = tuple[int, int, int]

FOLDER = Path(__file__).parents[2].parent / "shared" / "protocols"
# The key in the library, and the draft.
DRAFTS = {
    "ankle-stem-cell-prp-full": "01-ankle-stem-cell-prp-full",
    "ankle-prp": "02-ankle-prp",
    "ankle-prolotherapy-series": "03-ankle-prolotherapy-series",
    "plantar-fascia-prp": "04-plantar-fascia-prp",
    "plantar-fascia-prolotherapy": "05-plantar-fascia-prolotherapy",
    "mortons-neuroma-ladder": "06-mortons-neuroma-ladder",
    "achilles-prp": "07-achilles-prp",
    "knee-bmac-three-part": "09-knee-bmac-three-part",
    "knee-prp-series": "10-knee-prp-series",
    "custom-orthotics": "11-module-custom-orthotics",
    "outcomes-12m": "12-module-outcomes-12m",
}
# Of its figures only those are its own which tie the two sides together.
BILATERAL = ("ankle-bilateral", "08-ankle-bilateral-staged")
needs_drafts = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no clinical drafts in {FOLDER}")


def draft(key: str) -> Data:
    """The draft of a protocol of the library."""
    return read(f"{DRAFTS[key]}.yaml")


def read(name: str) -> Data:
    """One of the drafts' files."""
    data: Data = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return data


def triple(offset: Data) -> Days:
    """Earliest, target and latest in days."""
    first, last = ("earliest", "latest") if "earliest" in offset else ("min", "max")
    return offset[first], offset["target"], offset[last]


def windows(step: Data) -> Iterator[Days]:
    """The offsets of a step, of its variants and of its timepoints."""
    if "relative_to" in step and "offset" in step:
        yield triple(step["offset"])
    for part in (*step.get("variants", ()), *step.get("timepoints", ())):
        yield triple(part["offset"])


def spacings(step: Data) -> Iterator[Days]:
    """The spacings of a repeated step, counted in the direction of its order."""
    repeat = step["repeat"]
    for part in (repeat, *repeat.get("spacing_variants", ())):
        low, target, high = triple(part["spacing"])
        yield (-high, -target, -low) if repeat["order"] == "backward" else (low, target, high)


def minutes(step: Data) -> list[int]:
    """The lengths of a step's appointments."""
    parts = (step, *step.get("timepoints", ()))
    return [part["appointment"]["minutes"] for part in parts if "appointment" in part]
