"""Use-cases: one function, one transaction; no clinical rule, no HTTP."""
