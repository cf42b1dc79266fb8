"""Published schedules and real dates, read from the folder ``shared`` beside the repository."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"


def _existing(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"../shared/data/{name} is not there", allow_module_level=True)
    return path


def read_json(name: str) -> Any:
    """A document; skips the module that asks where the folder is missing."""
    return json.loads(_existing(name).read_text())


def read_rows(name: str) -> list[dict[str, str]]:
    """A table's rows; skips the module that asks where the folder is missing."""
    with _existing(name).open(newline="") as file:
        return list(csv.DictReader(file))
