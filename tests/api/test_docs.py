"""Documentation pages: they work without internet, under a strict policy."""

import re
from pathlib import Path

import pytest

from app.__main__ import COMMANDS
from app.api import docs
from app.settings import Settings
from tests.client import PUBLISHED, Client

GUIDE = Path(docs.__file__).with_name("guide")

PAGES = [
    *("/docs", "/redoc", "/guide"),
    *sorted(f"/guide/{path.stem}" for path in GUIDE.glob("*.md")),
]


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_loads_nothing_from_elsewhere(api: Client, page: str) -> None:
    answer = await api.get(page)

    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script-src 'unsafe-inline'" not in answer.headers["content-security-policy"]
    assert not re.findall(r'<(?!a )[^>]* (?:src|href)="(?:https?:)?//', answer.text)


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_has_no_script_of_its_own(api: Client, page: str) -> None:
    answer = await api.get(page)

    assert not re.findall(r"<script(?![^>]* src=)", answer.text)


@pytest.mark.parametrize("page", PAGES)
async def test_everything_a_page_loads_is_there(api: Client, page: str) -> None:
    text = (await api.get(page)).text

    for address in re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', text):
        assert (await api.get(address)).status_code == 200
    for address in re.findall(r'<a href="(/[^"#]*)', text):
        assert address in {*PAGES, "/openapi.json"}, "a link is for who has no key, too"


def test_every_operation_that_the_guide_names_is_there() -> None:
    known = {
        (method.upper(), re.sub(r"\{[^}]+\}", "{}", path))
        for path, methods in PUBLISHED["paths"].items()
        for method in methods
    }
    for page in sorted(GUIDE.glob("*.md")):
        named = re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/v1/[^`?\s]+)", page.read_text("utf-8"))
        for method, path in named:
            assert (method, re.sub(r"\{[^}]+\}", "{}", path)) in known, (page.name, method, path)


async def test_the_document_is_served(api: Client) -> None:
    answer = await api.get("/openapi.json")

    assert answer.json()["openapi"].startswith("3.1")


async def test_the_guide_has_its_first_page(api: Client) -> None:
    answer = await api.get("/guide/index")

    assert "<h1>How Regimen thinks</h1>" in answer.text
    assert "<table>" in answer.text


@pytest.mark.parametrize("page", ["nothing", "..%2f..%2fsettings", "INDEX", "index.md"])
async def test_no_other_file_can_be_read(api: Client, page: str) -> None:
    assert (await api.get(f"/guide/{page}")).status_code in {404, 422}


@pytest.mark.parametrize("asked", ["bytes=5-1", "bytes=--5", "bytes=0-1,2-3", "bytes=9999999-"])
async def test_an_asset_is_given_as_a_whole(api: Client, asked: str) -> None:
    answer = await api.get("/docs/assets/favicon.png", headers={"Range": asked})

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content.startswith(b"\x89PNG")


async def test_no_other_asset_can_be_read(api: Client) -> None:
    assert (await api.get("/docs/assets/index.md")).status_code == 422


async def test_who_comes_by_hand_is_led_to_the_guide(api: Client) -> None:
    answer = await api.get("/")

    assert (answer.status_code, answer.headers["location"]) == (303, "/guide")


async def test_every_page_of_the_guide_can_be_found_from_the_first(api: Client) -> None:
    first = (await api.get("/guide")).text

    pages = {path.stem for path in GUIDE.glob("*.md")} - {"index"}
    assert {page for page in pages if f'href="/guide/{page}"' not in first} == set()


async def test_nothing_is_called_compliant(api: Client) -> None:
    text = (await api.get("/guide/safeguards")).text

    assert "supports" in text
    assert "compliant" not in text


@pytest.mark.parametrize("page", ["production", "threats"])
def test_what_the_guide_names_exists(page: str) -> None:
    text = (GUIDE / f"{page}.md").read_text("utf-8")

    known = Settings.__dataclass_fields__.keys()
    settings = {name.lower() for name in re.findall(r"REGIMEN_([A-Z_]+)", text)}
    commands = set(re.findall(r"python -m app ([a-z]+)", text))
    assert settings <= known
    assert commands <= COMMANDS.keys()
