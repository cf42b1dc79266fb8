"""Yardstick of reading: a plain FastAPI route that returns bytes lying ready. No database."""

from uuid import UUID

from fastapi import FastAPI, Response

from tests.benchmarks.capturing import given


def create() -> FastAPI:
    """The application; telemetry is off as in the product, which makes it faster."""
    ready = given().plan
    app = FastAPI(telemetry={"logs": False, "tracing": False, "metrics": False})

    @app.get("/v1/plans/{plan_id}")
    async def read_plan(plan_id: UUID) -> Response:
        return Response(ready, media_type="application/json")

    @app.get("/health/ready")
    async def is_ready() -> Response:
        return Response(b"{}", media_type="application/json")

    return app
