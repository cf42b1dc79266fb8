"""The worklist: planned steps over all plans, found by their window states."""
