"""Why a command failed, in words. Loads nothing: every command may fail."""


class CommandFailed(Exception):
    """A command cannot do what it was asked; the text says why and what to do about it."""
