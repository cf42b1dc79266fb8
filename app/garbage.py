"""How a process that goes on for long looks for garbage."""

import gc

# A full collection stops everything for tens of milliseconds; most of what lives, lives for ever.
THRESHOLD = 10_000


def collect_seldom() -> None:
    """Keep what there is now, and look for garbage seldom among what comes."""
    gc.freeze()
    gc.set_threshold(THRESHOLD)
    gc.enable()
