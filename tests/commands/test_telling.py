"""What the demo tells, where its own story does not come by."""

from io import StringIO

from rich.console import Console

from app.commands.asking import Data
from app.commands.telling import tell_history, tell_moves, tell_plan

STEP: Data = {
    "id": "1",
    "title": "Session",
    "occurrence": None,
    "of": None,
    "date": "2027-03-10",
    "end_date": None,
    "tentative": False,
    "window": None,
    "window_state": "upcoming",
    "deviation_days": 0,
    "reasons": [{"code": "asked", "text": "asked for"}],
}


def a_console() -> Console:
    """Keeps what is told."""
    return Console(file=StringIO(), width=100, markup=False, highlight=False)


def told(out: Console) -> str:
    """What was told, without the blanks that fill up lines."""
    assert isinstance(out.file, StringIO)
    return "\n".join(line.rstrip() for line in out.file.getvalue().splitlines())


def test_a_plan_with_every_step_where_it_should_be_explains_nothing() -> None:
    out = a_console()

    tell_plan(out, {"steps": [STEP]})

    assert "Wed 2027-03-10" in told(out)
    assert "Why" not in told(out)


def test_what_becomes_undated_comes_last_and_says_why() -> None:
    out = a_console()
    undated = [{"text": "no day yet: session is postponed"}]
    moved = [{"text": "Wed 2027-03-17 was asked for"}]
    moves: list[Data] = [
        {"step_id": "2", "from": "2027-03-03", "to": None, "reasons": undated},
        {"step_id": "1", "from": "2027-03-10", "to": "2027-03-17", "reasons": moved},
    ]

    tell_moves(out, {"steps": [STEP, {**STEP, "id": "2", "title": "Call"}]}, moves)

    assert told(out).splitlines()[1:] == [
        "Wed 2027-03-10  Wed 2027-03-17  Session",
        "                                    Wed 2027-03-17 was asked for",
        "Wed 2027-03-03  no day yet      Call",
        "                                    no day yet: session is postponed",
    ]


def test_a_revision_without_a_reason_is_the_plans_making() -> None:
    out = a_console()
    first: Data = {"revision": 1, "at": "2027-01-04T16:00:00Z", "changes": [], "moves": []}

    tell_history(out, [{**first, "reason": None}])

    assert told(out).splitlines()[1].split() == ["1", "Mon", "2027-01-04", "made", "0", "0"]
