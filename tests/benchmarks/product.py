"""The product as uvicorn's command line starts it, with the settings of the environment."""

import os

from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings


def create() -> FastAPI:
    """The application."""
    return create_app(Settings.from_environ(os.environ))
