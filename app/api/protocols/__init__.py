"""Protocols over HTTP: documents, versions, checks, approval."""
