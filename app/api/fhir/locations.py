"""Locations over FHIR: https://hl7.org/fhir/R4/location.html"""

from app.api.fhir.interactions import Ask, Face, Found, Resource
from app.api.fhir.queries import Parameter, Query, page_of
from app.api.fhir.reading import own_id
from app.integrations.fhir.locations import location_resource
from app.services import locations
from app.services.locations import LocationNotFound, LocationSearch


async def read(ask: Ask) -> Resource:
    """One location."""
    location_id = own_id(ask.id, LocationNotFound("no such location"))
    return location_resource(await locations.get_location(ask.ctx, location_id))


async def search(ask: Ask, query: Query) -> Found:
    """Locations by name."""
    wanted = LocationSearch(
        ids=query.ids("_id"),
        names=query.criteria.get("name", ()),
        updated=query.instants("_lastUpdated"),
    )
    found = await locations.find_locations(ask.ctx, wanted, page_of(query))
    items = tuple(location_resource(one) for one in found.items)
    return Found(items=items, next=found.next, total=found.total)


FACE = Face(
    type="Location",
    text="A place of the clinic, with its time zone and opening days.",
    summary=frozenset({"status", "name", "mode"}),
    parameters=(Parameter("name", "string", "A part of the name."),),
    sorts=("_id", "_lastUpdated"),
    read=read,
    search=search,
)
