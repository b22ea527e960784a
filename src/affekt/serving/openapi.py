"""The description of all routes, as an OpenAPI document and as a page to read."""

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from affekt._version import __version__
from affekt.serving.endpoints import Endpoint
from affekt.serving.refusals import NAMES, Refusal
from affekt.serving.service import Service

EVENTS = "text/event-stream"
_REFUSED = {
    "POST": (401, 413, 422, 429, 503),
    "GET": (401, 503),
}
_MEANINGS = {
    401: "No key, or not one of the service's",
    404: "No such model",
    413: "More than a limit allows",
    422: "Not of the form, or not what this model can do",
    429: "The queue is full; Retry-After says when to come back",
    503: "Starting or stopping",
}


def described(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Return the endpoints that describe some endpoints."""
    known = tuple(endpoints)

    @cache
    def document() -> dict[str, Any]:
        return openapi(known)

    async def as_json(service: Service, form: None, request: Request) -> dict[str, Any]:
        return document()

    async def as_page(service: Service, form: None, request: Request) -> Response:
        return Response(_page(document()), media_type="text/html; charset=utf-8")

    return (
        Endpoint("/openapi.json", "This description", as_json, gives=dict[str, Any], guarded=False),
        Endpoint("/docs", "This description, to read", as_page, guarded=False, kind="text/html"),
    )


def openapi(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the OpenAPI document of some endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    parts: dict[str, Any] = {}
    for endpoint in endpoints:
        path = re.sub(r":\w+}", "}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, parts)
    keys = {"bearer": {"type": "http", "scheme": "bearer"}, "header": _KEY}
    return {
        "openapi": "3.1.0",
        "info": {"title": "affekt", "version": __version__, "description": "Emotion in short text."},
        "paths": paths,
        "components": {"schemas": parts, "securitySchemes": keys},
    }


_KEY = {"type": "apiKey", "in": "header", "name": "X-API-Key"}


def _operation(endpoint: Endpoint, parts: dict[str, Any]) -> dict[str, Any]:
    kind = endpoint.kind.partition(";")[0]
    gives = _schema(endpoint.gives, parts) if endpoint.gives is not None else {"type": "string"}
    content = {} if kind == EVENTS else {"schema": gives}  # a schema would be one event's, and they differ
    answered = {"description": "Answered", "content": {kind: content}}
    names = re.findall(r"{(\w+)", endpoint.path)
    refused = [*_REFUSED[endpoint.method], *((404,) if names else ())]
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "description": (endpoint.answer.__doc__ or "").strip(),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ],
        "responses": {"200": answered, **{str(status): _refused(endpoint, status) for status in refused}},
    }
    if endpoint.guarded:
        operation["security"] = [{"bearer": []}, {"header": []}, {}]
    if endpoint.takes is not None:
        content = {
            "schema": _schema(endpoint.takes, parts),
            "examples": {name: {"value": value} for name, value in endpoint.examples.items()},
        }
        kind = "application/x-ndjson" if endpoint.streams else "application/json"
        operation["requestBody"] = {"required": not endpoint.streams, "content": {kind: content}}
    return operation


def _refused(endpoint: Endpoint, status: int) -> dict[str, Any]:
    example = endpoint.shape(Refusal(status, f"{NAMES[status]}: what to do."))
    content = {"application/json": {"schema": {"type": "object"}, "example": example}}
    return {"description": _MEANINGS[status], "content": content}


def _schema(kind: Any, parts: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a type; what it is made of is put among the parts."""
    schema = TypeAdapter(kind).json_schema(ref_template="#/components/schemas/{model}")
    parts.update(schema.pop("$defs", {}))
    name = schema.get("title")
    if not name:
        return schema
    parts[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


def _page(document: dict[str, Any]) -> str:
    """Return a page that shows each route with its examples."""
    templates = Environment(loader=PackageLoader("affekt.serving", "web"), autoescape=True)
    routes = [
        {
            "path": path,
            "method": method.upper(),
            "summary": operation["summary"],
            "description": operation["description"],
            "examples": _commands(path, operation),
        }
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    return templates.get_template("docs.html").render(routes=routes, version=__version__)


def _commands(path: str, operation: dict[str, Any]) -> dict[str, str]:
    """Return a command for a shell for each example."""
    contents = operation.get("requestBody", {}).get("content", {})
    content: dict[str, Any] = next(iter(contents.values()), {})
    where = "http://127.0.0.1:8000" + re.sub(r"{\w+}", "affekt-small", path)
    return {
        name: f"curl {where} -d '{_quoted(example['value'])}'"
        for name, example in content.get("examples", {}).items()
    }


def _quoted(example: Any) -> str:
    return json.dumps(example, ensure_ascii=False).replace("'", "'\\''")
