"""The rules of timing: standard library only, no clock, no I/O."""
