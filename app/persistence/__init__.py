"""Tables and repositories: the only layer that speaks to a database."""
