"""Protocol documents for tests: the stored samples, small ones, and random ones."""

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from app.domain.protocols import StepKind

Data = dict[str, Any]

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> Data:
    """A stored document of some format."""
    data: Data = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return data


def document(*steps: Data, **members: Any) -> Data:
    """A small document with these steps; by default an anchor alone."""
    given = list(steps) or [step("session", kind="procedure")]
    data: Data = {"format": 1, "key": "small", "version": "1.0.0", "title": "A small protocol"}
    return data | {"anchor": given[0]["key"], "steps": given} | members


def step(key: str, **members: Any) -> Data:
    """A visit with this key."""
    return {"key": key, "kind": "visit", "title": f"Step {key}"} | members


def after(other: str, **bounds: Any) -> list[Data]:
    """The timings of a step that counts from another one."""
    return [{"relative_to": {"step": other}, **bounds}]


def parameter(key: str = "count", **members: Any) -> Data:
    """A number between 0 and 3, usually 2."""
    usual = {"key": key, "title": "How many", "type": "integer", "min": 0, "default": 2, "max": 3}
    return usual | members


def choice(key: str = "when", *options: str) -> Data:
    """A choice of these options, usually the first."""
    options = options or ("early", "late")
    return {
        "key": key,
        "title": "When",
        "type": "choice",
        "options": list(options),
        "default": options[0],
    }


_words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1)
_texts = _words.filter(lambda text: bool(text.strip())).map(lambda text: text[:200])
_days = st.integers(0, 60)
_few = st.integers(0, 30)
_modes = st.lists(
    st.sampled_from(["in_person", "telehealth", "phone", "questionnaire"]), max_size=2, unique=True
)
_severities = st.sampled_from(["block", "review", "warn"])


@st.composite
def _bounds(draw: st.DrawFn, sign: int = 1) -> Data:
    low, extra, more = draw(_few), draw(_few), draw(_few)
    unit = draw(st.sampled_from(["D", "D", "D", "W", "M"]))
    numbers = [low, low + extra, low + extra + more]
    if sign < 0:
        numbers = [-number for number in reversed(numbers)]
    texts = [f"{'-' if n < 0 else ''}P{abs(n)}{unit}" for n in numbers]
    data = dict(zip(("earliest", "target", "latest"), texts, strict=True))
    kept = draw(st.lists(st.sampled_from(sorted(data)), min_size=1, max_size=3, unique=True))
    data = {name: text for name, text in data.items() if name in kept}
    if draw(st.booleans()):
        data["latest_is"] = draw(st.sampled_from(["bound", "deadline"]))
    if unit == "D" and draw(st.booleans()):
        data["unit"] = draw(st.sampled_from(["days", "working_days"]))
    return data


@st.composite
def _references(draw: st.DrawFn, earlier: list[Data]) -> Data:
    """A reference to an earlier step or to a day from outside, with its end."""
    if not earlier or draw(st.integers(0, 3)) == 0:
        outside = st.sampled_from(["plan_start", "birth_date", {"event": "surgery"}])
        return {"relative_to": draw(outside)}
    other = draw(st.sampled_from(earlier))
    reference: Data = {"step": other["key"]}
    if "repeat" in other:
        reference["occurrence"] = draw(st.sampled_from([1, "first", "last"]))
    elif "timepoints" in other:
        reference["occurrence"] = draw(st.sampled_from(["t1", "last"]))
    if "span" in other and draw(st.booleans()):
        return {"relative_to": reference, "from": "end"}
    return {"relative_to": reference}


@st.composite
def _timings(draw: st.DrawFn, earlier: list[Data]) -> Data:
    timing = draw(_references(earlier)) | draw(_bounds(draw(st.sampled_from([1, -1]))))
    if draw(st.booleans()):
        timing["follows"] = draw(st.sampled_from(["actual_else_planned", "actual_only"]))
    return timing


@st.composite
def _repeats(draw: st.DrawFn) -> Data:
    backward = draw(st.booleans())
    sign = -1 if backward else 1
    counts: list[Any] = [3, {"min": 1, "default": 2, "max": 4}, {"parameter": "count"}]
    counts.append({"parameter": "when", "default": 1, "by_value": {"early": 1, "late": 3}})
    data: Data = {"count": draw(st.sampled_from(counts)), "spacing": draw(_bounds(sign))}
    if backward:
        data["order"] = "backward"
    if draw(st.booleans()):
        data["spacing_by"] = {"parameter": "when", "values": {"late": draw(_bounds(sign))}}
    return data


@st.composite
def _places(draw: st.DrawFn, earlier: list[Data]) -> Data:
    """What places a step: timings, alternatives, a repeat, timepoints, or nothing."""
    way = draw(st.integers(0, 4))
    if way == 0:
        points = draw(st.lists(_bounds(), min_size=1, max_size=3))
        timepoints = [{"key": f"t{n}", **bounds} for n, bounds in enumerate(points, start=1)]
        for point in timepoints:
            if draw(st.booleans()):
                point["appointment"] = {"minutes": 20, "modes": draw(_modes)}
            if draw(st.booleans()):
                point["importance"] = draw(st.integers(1, 9))
        return draw(_references(earlier)) | {"timepoints": timepoints}
    placed: Data = {"timings": draw(st.lists(_timings(earlier), max_size=2))}
    if way == 1:
        timings = [draw(_timings(earlier)) for _ in range(2)]
        options = [
            {"key": key, "timing": timing}
            for key, timing in zip(("early", "late"), timings, strict=True)
        ]
        choose = draw(st.sampled_from(["first_feasible", {"parameter": "when"}]))
        placed["alternatives"] = {"choose": choose, "options": options}
    if way in (1, 2):
        placed["repeat"] = draw(_repeats())
    return placed


@st.composite
def _steps(draw: st.DrawFn, key: str, earlier: list[Data]) -> Data:
    kind = draw(st.sampled_from(sorted(StepKind)))
    data = step(key, kind=str(kind), title=draw(_texts)) | draw(_places(earlier))
    if draw(st.booleans()):
        data["appointment"] = {"minutes": draw(st.integers(1, 300)), "modes": draw(_modes)}
    if draw(st.booleans()):
        data["span"] = f"P{draw(_days)}D"
    if draw(st.booleans()):
        condition = st.sampled_from(
            [{"parameter": "when", "in": ["late"]}, {"parameter": "count", "min": 1}]
        )
        data["when"] = draw(condition)
    for name in ("optional", "on_decision", "any_day", "external"):
        if draw(st.integers(0, 3)) == 0:
            data[name] = draw(st.booleans())
    return data | draw(_about(kind, earlier))


@st.composite
def _about(draw: st.DrawFn, kind: StepKind, earlier: list[Data]) -> Data:
    """What people read about a step, and what it decides."""
    data: Data = {}
    if draw(st.booleans()):
        data["importance"] = draw(st.integers(1, 12))
    if draw(st.booleans()):
        data["note"] = draw(_texts)
        data["sources"] = {"timing": ["cfg"], "minutes": ["page"]}
    if kind is StepKind.DECISION and earlier:
        effects = [{"type": "keep", "steps": [earlier[0]["key"]]}]
        effects.append({"type": "set", "parameter": "when", "value": "late"})
        data["choices"] = [{"key": "yes", "title": draw(_texts), "effects": effects}]
    return data


@st.composite
def _rules(draw: st.DrawFn, number: int, keys: list[str]) -> Data:
    one, other = draw(st.sampled_from(keys)), draw(st.sampled_from(keys))
    offset = f"P{draw(_days)}D"
    rules: list[Data] = [
        {"type": "min_gap", "from": one, "to": other, "offset": offset},
        {"type": "min_gap", "between": [one, other], "offset": offset, "one_visit": True},
        {"type": "min_gap", "kinds": ["visit", "call"], "offset": offset, "exempt": [[one, other]]},
        {"type": "max_gap", "from": one, "to": other, "offset": offset},
        {"type": "order", "before": one, "after": other},
        {"type": "same_day", "steps": [one, other]},
        {"type": "no_overlap", "steps": [one, other]},
        {"type": "washout", "agent": "nsaid", "before": offset, "applies_to": [one]},
        {"type": "washout", "agent": "nsaid", "after": offset, "same_site": True},
        {"type": "readiness", "findings": ["fever", "cold"]},
        {"type": "cluster", "steps": [one, other]},
    ]
    data = {"id": f"r{number}", **draw(st.sampled_from(rules)), "severity": draw(_severities)}
    if draw(st.booleans()):
        data |= {"waiver_role": "physician", "note": draw(_texts), "sources": ["page"]}
    return data


@st.composite
def documents(draw: st.DrawFn) -> Data:
    """Any valid protocol document, in its notation."""
    steps: list[Data] = []
    for number in range(draw(st.integers(1, 3))):
        steps.append(draw(_steps(f"s{number}", steps)))
    keys = [one["key"] for one in steps]
    rules = [draw(_rules(number, keys)) for number in range(draw(st.integers(0, 3)))]
    data = document(
        *steps,
        parameters=[parameter(), choice()],
        rules=rules,
        sources=[{"id": "page", "kind": "clinic-page", "title": draw(_texts)}],
        example=draw(st.booleans()),
        month_end=draw(st.sampled_from(["clamp", "roll_forward"])),
    )
    if draw(st.booleans()):
        data["summary"] = draw(_texts)
    if draw(st.booleans()):
        data["anchor"] = draw(st.sampled_from(keys))
    return data
