"""What reads share: ids of ours in addresses."""

from uuid import UUID

from app.api.fhir.queries import uuid_in
from app.domain.errors import DomainError


def own_id(text: str, not_found: DomainError) -> UUID:
    """An id in an address; what is none of ours is found nowhere."""
    found = uuid_in(text)
    if found is None:
        raise not_found
    return found
