"""Runs the benchmarks and prints one table: `python -m tests.benchmarks [--rounds N] [part …]`."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence

from tests.benchmarks import edge, engine, serving
from tests.benchmarks.figures import Figure, table
from tests.postgres import PostgresUnavailable, running_postgres

PARTS = ("engine", "edge", "postgresql", "sqlite")
ROUNDS = 9


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 when something that must be reached is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each pair is run")
    parser.add_argument("parts", nargs="*", help=f"some of: {', '.join(PARTS)} (all)")
    asked = parser.parse_args(arguments)
    unknown = set(asked.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    figures = []
    for figure in _figures(asked.parts or PARTS, asked.rounds):
        print(f"{figure.name}: {figure.median:.3g}{figure.unit}", file=sys.stderr, flush=True)
        figures.append(figure)
    print()
    print(table(figures))
    return 1 if any(figure.mark == "MISSED" for figure in figures) else 0


def _figures(parts: Sequence[str], rounds: int) -> Iterator[Figure]:
    if "engine" in parts:
        yield from engine.figures()
    if "edge" in parts:
        yield from edge.figures()
    if "postgresql" in parts:
        try:
            with running_postgres(os.environ) as server:
                yield from serving.postgresql_figures(server, rounds)
        except PostgresUnavailable as error:
            print(f"NOT MEASURED ON POSTGRESQL: {error}", file=sys.stderr)
    if "sqlite" in parts:
        yield from serving.sqlite_figures(rounds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
