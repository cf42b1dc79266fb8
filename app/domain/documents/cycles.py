"""Finds steps that are placed relative to each other in a circle."""

from collections import deque
from collections.abc import Iterator

from app.domain.documents.reading import Data, Reading, present

# The steps which a step's timings count from, each with the pointer of that timing.
_Edges = dict[str, str]


def refuse_cycles(steps: list[tuple[str, Data]], reading: Reading) -> None:
    """Each circle of references is one fault, with the loop shown.

    Alternatives count with all their options, also where no plan could combine them.
    """
    graph: dict[str, _Edges] = {}
    for at, step in steps:
        graph.setdefault(step["key"], dict(_references(step, at)))
    told: set[str] = set()
    for key in graph:
        loop = [] if key in told else _loop_from(key, graph)
        if loop:
            told.update(loop)
            hops = zip(loop, [*loop[1:], loop[0]], strict=True)
            text = ", ".join(f"'{one}' is placed relative to '{other}'" for one, other in hops)
            follower = loop[1]
            reading.refuse(graph[key][follower], "cycle", text)


def _references(step: Data, at: str) -> Iterator[tuple[str, str]]:
    """The other steps a step counts from, the first mention last so that it wins."""
    found = [
        (timing, f"{at}/timings/{index}") for index, timing in present(step.get("timings", ()))
    ]
    options = step.get("alternatives", {}).get("options", ())
    for index, option in present(options):
        found.append((option["timing"], f"{at}/alternatives/options/{index}/timing"))
    if "relative_to" in step:
        found.append((step, at))
    for timing, place in reversed(found):
        relative = timing["relative_to"]
        if isinstance(relative, dict) and relative.get("step", step["key"]) != step["key"]:
            yield relative["step"], f"{place}/relative_to"


def _loop_from(start: str, graph: dict[str, _Edges]) -> list[str]:
    """The shortest way from a step back to itself."""
    came_from: dict[str, str] = {}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for there in reversed(graph.get(here, {})):
            if there == start:
                return _way(start, here, came_from)
            if there not in came_from:
                came_from[there] = here
                waiting.append(there)
    return []


def _way(start: str, end: str, came_from: dict[str, str]) -> list[str]:
    way = [end]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]
