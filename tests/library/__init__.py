"""Tests of the built-in protocols and rules."""
