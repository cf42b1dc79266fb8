"""Migrations run up, down and up again on both databases."""

from app.persistence.migrate import require_no_difference


def test_the_tables_in_the_code_are_those_of_the_migrations(database_url: str) -> None:
    require_no_difference(database_url)
