"""Locations as FHIR has them: https://hl7.org/fhir/R4/location.html"""

from app.integrations.fhir.elements import Data, meta, without_empty
from app.persistence.locations import LocationRecord

TIME_ZONE = "http://hl7.org/fhir/StructureDefinition/timezone"
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def location_resource(location: LocationRecord) -> Data:
    """A location with its time zone and when it is open."""
    return without_empty(
        {
            "resourceType": "Location",
            "id": str(location.id),
            "meta": meta(location.revision, location.updated_at),
            "extension": [{"url": TIME_ZONE, "valueCode": location.time_zone}],
            "status": "active",
            "name": location.name,
            "mode": "instance",
            "hoursOfOperation": _hours(location),
        }
    )


def _hours(location: LocationRecord) -> list[Data]:
    """The opening hours; where they are not known, the opening days."""
    days = [_WEEKDAYS[weekday - 1] for weekday in location.open_weekdays]
    if location.hours is None:
        return [{"daysOfWeek": days}] if days else []
    return [
        {
            "daysOfWeek": [_WEEKDAYS[int(weekday) - 1]],
            "openingTime": f"{opens}:00",
            "closingTime": f"{closes}:00",
        }
        for weekday, stretches in sorted(location.hours.items())
        for opens, closes in stretches
    ]
