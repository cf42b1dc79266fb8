"""A stock JavaScript client against a server that runs; needs Node."""
