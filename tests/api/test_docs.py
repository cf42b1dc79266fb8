"""Documentation pages: they work without internet, under a strict policy."""

import re

import pytest

from tests.client import Client

PAGES = ["/docs", "/redoc", "/guide", "/guide/bulk", "/guide/protocols"]


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_loads_nothing_from_elsewhere(api: Client, page: str) -> None:
    answer = await api.get(page)

    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script-src 'unsafe-inline'" not in answer.headers["content-security-policy"]
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)


@pytest.mark.parametrize("page", PAGES)
async def test_a_page_has_no_script_of_its_own(api: Client, page: str) -> None:
    answer = await api.get(page)

    assert not re.findall(r"<script(?![^>]* src=)", answer.text)


@pytest.mark.parametrize("page", PAGES)
async def test_everything_a_page_loads_is_there(api: Client, page: str) -> None:
    text = (await api.get(page)).text

    for address in re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', text):
        assert (await api.get(address)).status_code == 200


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


async def test_no_other_asset_can_be_read(api: Client) -> None:
    assert (await api.get("/docs/assets/index.md")).status_code == 422


async def test_who_comes_by_hand_is_led_to_the_guide(api: Client) -> None:
    answer = await api.get("/")

    assert (answer.status_code, answer.headers["location"]) == (303, "/guide")
