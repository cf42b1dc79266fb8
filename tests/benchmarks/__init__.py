"""Benchmarks: ratios against hand-written yardsticks, printed by `sh .ci/bench`; no tests."""
