"""Mapping between the domain and foreign formats, and calls to other people's servers."""
