"""How long the engine worked for the request or unit of work that is under way."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter

_spent: ContextVar[float] = ContextVar("engine_seconds", default=0.0)


@contextmanager
def measured() -> Iterator[None]:
    """What is done in this block is the engine's work; waiting for a thread counts."""
    begin = perf_counter()
    try:
        yield
    finally:
        _spent.set(_spent.get() + perf_counter() - begin)


def taken() -> float:
    """The seconds since this was asked last."""
    seconds = _spent.get()
    _spent.set(0.0)
    return seconds
