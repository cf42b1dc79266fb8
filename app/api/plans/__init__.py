"""Plans over HTTP: what clients send, what they are given, and the routes."""
