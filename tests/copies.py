"""Copies of a migrated SQLite file, which are made in no time; migrating takes a second."""

import shutil
from pathlib import Path

from app.persistence.database import driver_url


def sqlite_copy(template: Path, folder: Path) -> str:
    """The address of a copy in a folder that has none yet."""
    path = folder / "regimen.db"
    shutil.copyfile(template, path)
    return driver_url(f"sqlite:///{path}")
