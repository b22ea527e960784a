"""The web page: its files, which come with the package, and what a browser may do with them."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from affekt import report
from affekt.serving.endpoints import Endpoint
from affekt.serving.refusals import Refusal
from affekt.serving.service import Service

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FOLDER = Path(__file__).parent / "web"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
FILES = {
    path.relative_to(folder).as_posix(): path
    for folder in (FOLDER, Path(report.__file__).parent / "web")  # the second: what written pages have too
    for path in sorted(folder.rglob("*"))
    if path.suffix in KINDS and path.name != "docs.html"
}


async def index(service: Service, form: None, request: Request) -> Response:
    """Return the page."""
    return _file("index.html")


async def asset(service: Service, form: None, request: Request) -> Response:
    """Return one of the page's files: only those there were when the service began."""
    return _file(request.path_params["name"])


def _file(name: str) -> Response:
    if name not in FILES:
        raise Refusal(404, "the page has no such file.")
    path = FILES[name]
    return Response(path.read_bytes(), media_type=KINDS[path.suffix], headers={"Cache-Control": "no-cache"})


ENDPOINTS = (
    Endpoint("/", "The page", index, guarded=False, kind="text/html"),
    Endpoint("/web/{name:path}", "The page's files", asset, guarded=False, kind="text/html"),
)
