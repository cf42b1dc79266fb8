"""Whether the service lives and is ready to serve."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, Field

from app.api.fields import Out
from app.api.problems import problems
from app.api.routing import Route
from app.services.health import NotReady, Readiness

router = APIRouter(prefix="/health", tags=["health"], route_class=Route)


class AliveOut(Out):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "alive"}]})

    status: Literal["alive"] = Field(default="alive", description="Always `alive`.")


class ReadyOut(Out):
    """The service can serve."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "ready", "revision": "81cf63c23aa5"}]}
    )

    status: Literal["ready"] = Field(default="ready", description="Always `ready`.")
    revision: str = Field(description="The revision of the database's tables.")


@router.get("/live", operation_id="read_liveness")
async def read_liveness() -> AliveOut:
    """Say that the process answers.

    Restart it when this fails.
    """
    return AliveOut()


async def _revision(request: Request) -> str:
    readiness: Readiness = request.app.state.readiness
    return await readiness.check()


@router.get("/ready", operation_id="check_readiness", responses=problems(NotReady))
async def check_readiness(revision: Annotated[str, Depends(_revision)]) -> ReadyOut:
    """Say whether the database answers and has this version's tables, or those of a later one.

    Send requests only while this succeeds.
    """
    return ReadyOut(revision=revision)
