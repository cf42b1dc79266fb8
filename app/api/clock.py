"""Today and now; in a sandbox clinic the clock can be set."""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from app.api.deps import ContextDep, ReadContextDep
from app.api.fields import Day, In, Instant, Out
from app.api.problems import problems
from app.api.routing import Route
from app.services import clock, locations
from app.services.clock import ClockNotSettable
from app.services.context import Context

router = APIRouter(prefix="/v1/clock", tags=["clock"], route_class=Route)


class ZoneClockOut(Out):
    """Today and now in one time zone."""

    time_zone: str = Field(description="IANA name of the zone.")
    today: Day = Field(description="The local day, by which windows and states are judged.")
    now: Instant = Field(description="The local time with its offset.")


class ClockOut(Out):
    """Today and now, as the clinic sees them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "now": "2027-02-05T16:00:00Z",
                    "sandbox": True,
                    "zones": [
                        {
                            "time_zone": "America/Denver",
                            "today": "2027-02-05",
                            "now": "2027-02-05T09:00:00-07:00",
                        }
                    ],
                }
            ]
        }
    )

    now: Instant = Field(description="The present instant.")
    sandbox: bool = Field(description="Whether this is a sandbox clinic, whose clock can be set.")
    zones: list[ZoneClockOut] = Field(description="Each zone in which the clinic has a location.")

    @classmethod
    def of(cls, ctx: Context, now: datetime, zones: list[str]) -> "ClockOut":
        """The clock at this instant in these zones."""
        shown = [
            ZoneClockOut(time_zone=zone, today=local.date(), now=local)
            for zone in zones
            for local in [now.astimezone(ZoneInfo(zone))]
        ]
        return cls(now=now, sandbox=ctx.sandbox, zones=shown)


class ClockIn(In):
    """What a sandbox clinic's clock shall show."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"now": "2027-02-05T09:00:00-07:00"}, {"now": None}]}
    )

    now: Annotated[
        Instant | None,
        Field(description="The instant at which the clock stands still; null lets it run again."),
    ]


@router.get("", operation_id="read_clock")
async def read_clock(ctx: ReadContextDep) -> ClockOut:
    """Read today and now in every time zone of the clinic."""
    return ClockOut.of(ctx, ctx.now, await locations.list_time_zones(ctx))


@router.put("", operation_id="set_clock", responses=problems(ClockNotSettable))
async def set_clock(body: ClockIn, ctx: ContextDep) -> ClockOut:
    """Set the clock of a sandbox clinic.

    It stands still at the instant given, so that examples do not depend on the day they are
    tried. Any other clinic refuses.
    """
    now = await clock.set_clock(ctx, body.now)
    return ClockOut.of(ctx, now, await locations.list_time_zones(ctx))
