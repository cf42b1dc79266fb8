"""A plan as a picture (SVG 1.1): a row for each step, its window and its day on one axis of time.

Nothing is loaded from elsewhere and no script runs, so that it can be put into any page; what is
seen is also said, in titles that show where a pointer rests and that screen readers speak.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from xml.etree.ElementTree import Element, SubElement, tostring

from app.domain.schedules import Window
from app.domain.states import PlanStatus, StepStatus, WindowState, planned_state
from app.persistence.plans.records import PlanView, StepView

# Where the columns of labels, days and the axis begin, in units of the picture.
WIDTH, MARGIN, DAYS, AXIS = 1100, 16, 336, 446
ROW, HEAD, FOOT = 26, 48, 40
LONGEST_LABEL = 40

_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b2733 }
.small { font-size: 11px; fill: #5b6b7a }
.anchor { font-weight: 700 }
.line { stroke: #dfe5ea }
.today { stroke: #c2410c; stroke-dasharray: 3 3 }
.window { fill: #cfe0f3 }
.span { fill: #8fb4dc }
.target { stroke: #5b7fa6; stroke-width: 2 }
.day { fill: #1d5fa8; stroke: #1d5fa8; stroke-width: 2 }
.booked { fill: #123c6b; stroke: #123c6b }
.done { fill: #2e7d32; stroke: #2e7d32 }
.tentative { fill: #fff; stroke-dasharray: 2 2 }
.missed, .off { fill: none }
.missed { stroke: #c2410c }
.overdue { fill: #c2410c; stroke: #c2410c }
.off { stroke: #8a97a3 }
.flag { fill: #c2410c }
@media (prefers-color-scheme: dark) {
text { fill: #e6ebf0 } .small { fill: #9fb0c0 } .line { stroke: #33414e }
.window { fill: #23405e } .span { fill: #35608c } .target { stroke: #8fb4dc }
.day { fill: #6ea8e6; stroke: #6ea8e6 } .tentative { fill: #16202a }
.booked { fill: #b9d6f5; stroke: #b9d6f5 } .done { fill: #7cc47f; stroke: #7cc47f }
.overdue { fill: #f08a5d; stroke: #f08a5d } .missed, .off { fill: none }
.missed { stroke: #f08a5d } .off { stroke: #8a97a3 }
}
"""
_LOOKS: Mapping[str, str] = MappingProxyType(
    {
        StepStatus.BOOKED: "booked",
        StepStatus.PERFORMED: "done",
        StepStatus.MISSED: "missed",
        StepStatus.SKIPPED: "off",
        StepStatus.CANCELLED: "off",
        StepStatus.ENTERED_IN_ERROR: "off",
    }
)
_KEY = (
    *(("window", "window"), ("target", "target"), ("", "planned"), ("booked", "booked")),
    *(("tentative", "tentative"), ("done", "done"), ("overdue", "overdue")),
    *(("missed", "missed"), ("off", "left out")),
)
"""What the marks below a picture are called, in their order."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where days lie from left to right."""

    first: date
    last: date

    def x(self, day: date) -> float:
        """The middle of a day, or the end of the axis that is nearer to it."""
        within = min(max(day, self.first), self.last)
        share = (within - self.first).days / max((self.last - self.first).days, 1)
        return round(AXIS + share * (WIDTH - MARGIN - AXIS), 1)

    def ticks(self) -> Iterator[tuple[date, str]]:
        """Mondays of a short axis, months of a longer one, of many years only some, and years."""
        days = (self.last - self.first).days
        if days <= 70:
            monday = self.first + timedelta(days=-self.first.weekday() % 7)
            for n in range(0, (self.last - monday).days + 1, 7):
                day = monday + timedelta(days=n)
                yield day, f"{day:%b} {day.day}"
            return
        every = next((n for n in (1, 3, 6, 12) if days <= n * 400), 60)
        for month in range(self.first.year * 12, self.last.year * 12 + 12, every):
            day = date(month // 12, month % 12 + 1, 1)
            if self.first <= day <= self.last:
                yield day, str(day.year) if day.month == 1 else f"{day:%b}"


def timeline(view: PlanView, today: date, *, sandbox: bool) -> bytes:
    """The picture of a plan as it stands; the same plan on the same day gives the same bytes."""
    steps = sorted(view.steps, key=lambda step: (step.day is None, step.day, step.position))
    axis = _axis(steps, today)
    height = HEAD + ROW * len(steps) + FOOT
    box = {"viewBox": f"0 0 {WIDTH} {height}", "width": str(WIDTH), "height": str(height)}
    picture = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **box})
    SubElement(picture, "title").text = _name(view, sandbox=sandbox)
    SubElement(picture, "desc").text = " ".join(f"{_said(step)}." for step in steps)
    SubElement(picture, "style").text = _STYLE
    _draw_axis(picture, axis, today, height - FOOT)
    anchor = None if view.anchor is None else view.anchor["step"]
    for row, step in enumerate(steps):
        middle = HEAD + ROW * row + ROW // 2
        flags = [one["text"] for one in view.breaches if step.id in one["step_ids"]]
        drawn = SubElement(picture, "g")
        SubElement(drawn, "title").text = "\n".join([_said(step), *_reasons(step), *flags])
        _draw_label(drawn, step, middle, is_anchor=step.name == anchor, is_flagged=bool(flags))
        _draw_window(drawn, step, middle, axis)
        _draw_day(drawn, step, middle, axis, _look(view, step, today))
    _draw_key(picture, height - FOOT // 2)
    written: bytes = tostring(picture, encoding="utf-8", xml_declaration=True)
    return written


def _axis(steps: list[StepView], today: date) -> _Axis:
    """From a little before the first day to a little after the last; a plan without days: now."""
    days = [date.fromisoformat(day) for step in steps for day in (step.day, step.end_day) if day]
    first, last = min(days, default=today), max(days, default=today + timedelta(days=28))
    beside = timedelta(days=3 + (last - first).days // 20)
    return _Axis(first - beside, last + beside)


def _name(view: PlanView, *, sandbox: bool) -> str:
    marks = [
        mark for mark, is_set in (("[sandbox]", sandbox), ("[example]", view.example)) if is_set
    ]
    return " ".join([*marks, f"{view.protocol_key} {view.protocol_version}, {view.status}"])


def _label(step: StepView) -> str:
    numbered = step.of_count is not None and step.of_count > 1
    return f"{step.title}, {step.ordinal} of {step.of_count}" if numbered else step.title


def _said(step: StepView) -> str:
    """A step in words: what, when, and how firm that is."""
    when = "no day yet" if step.day is None else _spoken(step.day)
    until = "" if step.end_day is None else f" to {_spoken(step.end_day)}"
    return f"{_label(step)}: {when}{until}, {_state(step)}"


def _state(step: StepView) -> str:
    status = step.status.replace("_", " ")
    return f"{status}, tentative" if step.tentative else status


def _reasons(step: StepView) -> Iterator[str]:
    return (reason["text"] for reason in step.reasons)


def _spoken(day: str) -> str:
    return f"{date.fromisoformat(day):%a} {day}"


def _draw_axis(picture: Element, axis: _Axis, today: date, bottom: int) -> None:
    for day, text in axis.ticks():
        _line(picture, "line", axis.x(day), HEAD - 6, bottom)
        _text(picture, text, axis.x(day), HEAD - 12, "small", anchor="middle")
    if axis.first <= today <= axis.last:
        _line(picture, "today", axis.x(today), HEAD - 22, bottom)
        _text(picture, "today", axis.x(today), HEAD - 28, "small", anchor="middle")


def _draw_label(
    drawn: Element, step: StepView, middle: int, *, is_anchor: bool, is_flagged: bool
) -> None:
    label = _label(step)
    if len(label) > LONGEST_LABEL:
        label = f"{label[: LONGEST_LABEL - 1]}…"
    look = "anchor" if is_anchor else ""
    _text(drawn, label, MARGIN, middle + 4, look)
    _text(drawn, _when(step), DAYS, middle + 4, look)
    if is_flagged:
        shape = f"M{DAYS - 16} {middle + 5}l6 -11l6 11z"
        SubElement(drawn, "path", {"class": "flag", "d": shape})


def _when(step: StepView) -> str:
    if step.day is None:
        return "no day yet"
    day = _day(step.day)
    if step.end_day is None:
        return f"{day:%a} {day.day} {day:%b}"
    end = _day(step.end_day)
    return f"{day.day} {day:%b} – {end.day} {end:%b}"


def _draw_window(drawn: Element, step: StepView, middle: int, axis: _Axis) -> None:
    """The window, as far as it is bounded and on the axis, and its target."""
    if step.window_target is None:
        return
    first = axis.first if step.window_earliest is None else _day(step.window_earliest)
    last = axis.last if step.window_latest is None else _day(step.window_latest)
    _bar(drawn, "window", axis.x(first), axis.x(last), middle)
    target = _day(step.window_target)
    if axis.first <= target <= axis.last:
        _line(drawn, "target", axis.x(target), middle - 7, middle + 7)


def _draw_day(drawn: Element, step: StepView, middle: int, axis: _Axis, look: str) -> None:
    if step.day is None:
        return
    x = axis.x(_day(step.day))
    if step.end_day is not None:
        _bar(drawn, "span", x, axis.x(_day(step.end_day)), middle)
    _mark(drawn, look, x, middle)


def _look(view: PlanView, step: StepView, today: date) -> str:
    window = None
    if step.window_target is not None:
        bounds = step.window_earliest, step.window_latest
        earliest, latest = (None if bound is None else _day(bound) for bound in bounds)
        window = Window(earliest, _day(step.window_target), latest)
    day = None if step.day is None else _day(step.day)
    status = StepStatus(step.status)
    state = planned_state(window, day, status, PlanStatus(view.status), today)
    # A span passes by itself.
    if state is WindowState.OVERDUE and step.end_day is None:
        return "overdue"
    return "tentative" if step.tentative else _LOOKS.get(status, "")


def _draw_key(picture: Element, middle: int) -> None:
    x = MARGIN + 8
    for look, text in _KEY:
        if look == "window":
            _bar(picture, "window", x - 8, x + 8, middle)
        elif look == "target":
            _line(picture, "target", x, middle - 7, middle + 7)
        else:
            _mark(picture, look, x, middle)
        _text(picture, text, x + 18, middle + 4, "small")
        x += 116


def _mark(drawn: Element, look: str, x: float, middle: int) -> None:
    """A dot, or a cross for what does not take place."""
    if look in {"missed", "off"}:
        shape = f"M{x - 5} {middle - 5}l10 10m0 -10l-10 10"
        SubElement(drawn, "path", {"class": f"day {look}", "d": shape})
    else:
        place = {"cx": str(x), "cy": str(middle), "r": "6"}
        SubElement(drawn, "circle", {"class": f"day {look}".strip(), **place})


def _bar(drawn: Element, look: str, left: float, right: float, middle: int) -> None:
    place = {"x": f"{left - 6:g}", "y": str(middle - 6), "width": f"{right - left + 12:g}"}
    SubElement(drawn, "rect", {"class": look, **place, "height": "12", "rx": "6"})


def _line(drawn: Element, look: str, x: float, top: int, bottom: int) -> None:
    ends = {"x1": str(x), "y1": str(top), "x2": str(x), "y2": str(bottom)}
    SubElement(drawn, "line", {"class": look, **ends})


def _text(
    drawn: Element, text: str, x: float, y: int, look: str = "", *, anchor: str = "start"
) -> None:
    place = {"x": f"{x:g}", "y": str(y), "text-anchor": anchor}
    SubElement(drawn, "text", {"class": look, **place} if look else place).text = text


def _day(text: str) -> date:
    return date.fromisoformat(text)
