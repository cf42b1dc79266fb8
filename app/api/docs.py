"""Documentation that works without internet: the document, Swagger UI, ReDoc, the guide."""

import json
from functools import cache
from importlib.util import find_spec
from mimetypes import guess_type
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.api.refusals import AddressNotFound

router = APIRouter(include_in_schema=False)

_GUIDE = Path(__file__).with_name("guide")
_OWN_ONLY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_CSP_GUIDE = f"{_OWN_ONLY}; style-src 'self'; img-src 'self'"
# Both viewers set styles from script, ReDoc searches in a worker; neither may load from elsewhere.
_CSP_VIEWERS = (
    f"{_OWN_ONLY}; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; font-src 'self'"
)

Asset = Literal[
    "swagger-ui-bundle.js",
    "swagger-ui.css",
    "redoc.standalone.js",
    "favicon.png",
    "start-swagger.js",
    "guide.css",
    "plan.svg",
]
_OURS = {"start-swagger.js", "guide.css", "plan.svg"}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="/docs/assets/favicon.png">
{head}
</head>
<body>
{body}
</body>
</html>
"""


@router.get("/openapi.json")
async def read_document(request: Request) -> Response:
    """The OpenAPI document."""
    state = request.app.state
    if not hasattr(state, "document"):
        state.document = json.dumps(request.app.openapi(), ensure_ascii=False).encode()
    return Response(state.document, media_type="application/json")


@router.get("/docs")
async def show_swagger() -> HTMLResponse:
    """Swagger UI: try the operations."""
    page = _PAGE.format(
        title="Regimen API",
        head='<link rel="stylesheet" href="/docs/assets/swagger-ui.css">',
        body='<div id="swagger-ui"></div>\n'
        '<script src="/docs/assets/swagger-ui-bundle.js"></script>\n'
        '<script src="/docs/assets/start-swagger.js"></script>',
    )
    return HTMLResponse(page, headers={"content-security-policy": _CSP_VIEWERS})


@router.get("/redoc")
async def show_redoc() -> HTMLResponse:
    """ReDoc: read the operations."""
    page = _PAGE.format(
        title="Regimen API",
        head="",
        body='<redoc spec-url="/openapi.json" disable-search="false"></redoc>\n'
        '<script src="/docs/assets/redoc.standalone.js"></script>',
    )
    return HTMLResponse(page, headers={"content-security-policy": _CSP_VIEWERS})


@router.get("/docs/assets/{name}")
async def read_asset(name: Asset) -> Response:
    """One of the fixed files that the pages load; no path is taken from the address."""
    media_type, _ = guess_type(name)
    headers = {"cache-control": "public, max-age=86400"}
    return Response(_asset(name), media_type=media_type, headers=headers)


@router.get("/guide")
async def show_guide() -> HTMLResponse:
    """The first page of the guide."""
    return _guide_page("index")


@router.get("/guide/{page}")
async def show_guide_page(
    page: Annotated[str, PathParameter(pattern="^[a-z0-9-]{1,64}$")],
) -> HTMLResponse:
    """A page of the guide."""
    return _guide_page(page)


@router.get("/")
async def show_start() -> RedirectResponse:
    """Who comes by hand is led to the guide."""
    return RedirectResponse("/guide", status_code=303)


def _guide_page(page: str) -> HTMLResponse:
    if page not in _guide_pages():
        raise AddressNotFound("the guide has no such page")
    return HTMLResponse(_rendered(page), headers={"content-security-policy": _CSP_GUIDE})


@cache
def _guide_pages() -> frozenset[str]:
    return frozenset(path.stem for path in _GUIDE.glob("*.md"))


@cache
def _rendered(page: str) -> str:
    text = (_GUIDE / f"{page}.md").read_text("utf-8")
    title = text.partition("\n")[0].lstrip("# ")
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    body = f"<main>\n{markdown.render(text)}</main>"
    head = '<link rel="stylesheet" href="/docs/assets/guide.css">'
    return _PAGE.format(title=f"{title} · Regimen", head=head, body=body)


@cache
def _asset(name: Asset) -> bytes:
    """The file as a whole: whoever reads it slowly keeps nothing open."""
    return ((_GUIDE if name in _OURS else _viewers()) / name).read_bytes()


@cache
def _viewers() -> Path:
    """The folder of packaged viewers; its package is looked up, not imported."""
    spec = find_spec("fastapi_offline")
    if spec is None or spec.origin is None:
        raise AddressNotFound("the viewers are not installed")
    return Path(spec.origin).parent / "static"
