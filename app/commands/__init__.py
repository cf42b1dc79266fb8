"""What `python -m app` does, a module for each command, and what they share."""
