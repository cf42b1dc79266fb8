"""Plans with their planned steps and revisions: stored whole, read whole, listed in pages."""
