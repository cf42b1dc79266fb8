"""The command `check` on a protocol that fails in more ways than a person would read."""

import json
from pathlib import Path

import pytest

from app.__main__ import main

BOUNDS = ("earliest", "target", "latest")
EXACT_DAYS = (1, 2, 3, 4, 5, 6)


def test_of_many_reasons_the_first_are_shown_and_the_others_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    visits = [
        {
            "key": f"visit_{days}",
            "kind": "visit",
            "title": f"Visit after {days} days",
            "timings": [
                {"relative_to": {"step": "shot"}, **dict.fromkeys(BOUNDS, f"P{days}D")},
            ],
        }
        for days in EXACT_DAYS
    ]
    steps = [{"key": "shot", "kind": "injection", "title": "Shot"}, *visits]
    document = {"format": 1, "key": "exact", "version": "1.0.0", "title": "Exact", "anchor": "shot"}
    file = tmp_path / "exact.json"
    file.write_text(json.dumps({**document, "steps": steps}))

    assert main(["check", str(file), "--open", "mon-sat"]) == 0

    shown = capsys.readouterr().out
    assert shown.count(", the first ") == 5
    assert "  - and 1 other reason" in shown
