"""Bodies of requests: read within bounds, parsed as strict JSON, checked against a form."""

import asyncio
import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from starlette.requests import ClientDisconnect, Request

from affekt.serving.refusals import Refusal
from affekt.serving.settings import Limits
from affekt.text.surrogates import mended

Form = TypeVar("Form", bound=BaseModel)

# half an emoji, as clients cut it, is a sign nobody knows rather than a fault
Text = Annotated[str, BeforeValidator(lambda value: mended(value) if isinstance(value, str) else value)]
Texts = Text | Annotated[list[Text], Field(json_schema_extra={"minItems": 1})]  # none: see `texts_of`

_SAID = 3  # faults of a body that are told at once


async def read_body(request: Request, limits: Limits) -> bytes:
    """Return a request's body.

    Raises:
        Refusal: 413 when it is too large, of which no more is read; 408 when it does not come.
    """
    too_large = Refusal(413, f"the body is larger than {limits.body:,} bytes; send fewer texts at once.")
    said = request.headers.get("content-length", "")
    if said.isdecimal() and (len(said) > 15 or int(said) > limits.body):
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.body:
                    raise too_large
    except TimeoutError:
        raise Refusal(408, f"no whole body came within {limits.body_seconds:g} s.") from None
    except ClientDisconnect:
        raise Refusal(400, "the connection ended before the body did.") from None
    return bytes(body)


def parsed(body: bytes) -> Any:
    """Return what a JSON body holds, without NaN and infinities."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise Refusal(422, f"the body is not UTF-8 (byte {fault.start}).") from None
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise Refusal(422, "the body is nested too deeply.") from None
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno}, column {fault.colno}"
        raise Refusal(422, f"the body is not JSON ({fault.msg}: {where}).") from None
    except ValueError:
        raise Refusal(422, "the body holds a number that is none or is too long.") from None


def _refuse(name: str) -> None:
    raise ValueError(name)


def checked(held: Any, form: type[Form]) -> Form:
    """Return a form filled from JSON; its faults are one sentence that quotes no value."""
    try:
        return form.model_validate(held)
    except ValidationError as fault:
        faults = fault.errors(include_url=False, include_input=False, include_context=False)
        said = [f"{_place(one['loc'])}: {one['msg']}" for one in faults[:_SAID]]
        more = len(faults) - len(said)
        raise Refusal(422, "; ".join(said) + (f"; and {more} more." if more else ".")) from None
    except RecursionError:
        raise Refusal(422, "the body is nested too deeply.") from None


def _place(parts: tuple[int | str, ...]) -> str:
    """Return where in a body a fault stands, as in inputs.3; names of union members are left out."""
    shown = [str(part)[:40] for part in parts if not (isinstance(part, str) and ("[" in part or "(" in part))]
    return ".".join(part for part in shown if part not in ("str", "int")) or "body"


def texts_of(given: str | list[str], limits: Limits) -> list[str]:
    """Return the texts of a request within the limits.

    Raises:
        Refusal: 422 for none, 413 for too many or too long ones.
    """
    texts = [given] if isinstance(given, str) else given
    if not texts:
        raise Refusal(422, "there is no text; send at least one.")
    if len(texts) > limits.texts:
        raise Refusal(
            413, f"{len(texts):,} texts at once are more than {limits.texts:,}; send them in parts."
        )
    for i, text in enumerate(texts):
        if len(text) > limits.characters:
            raise Refusal(
                413, f"text {i} has {len(text):,} characters, more than {limits.characters:,}; cut it."
            )
    return texts
