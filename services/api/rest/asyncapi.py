"""The documentation of the bus: the AsyncAPI document, and a page drawn from it. No script, nothing from elsewhere."""

import base64
import hashlib
import json
from functools import cache
from html import escape
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from services.api.access import Permission
from services.api.bus.asyncapi import document
from services.api.rest.policy import needs

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; background: #fff }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem } p { margin: .3rem 0 }
section { border-top: 1px solid #d9dee4; padding: .8rem 0 }
code, pre { font: 13px/1.45 ui-monospace, monospace; background: #f3f5f7; border-radius: 3px }
code { padding: .1rem .3rem } pre { padding: .8rem; overflow: auto }
.way { color: #52606d; font-size: .85rem } dt { font-weight: 600 } dd { margin: 0 0 .4rem 1rem }
summary { cursor: pointer }
@media (prefers-color-scheme: dark) { body { color: #e4e7eb; background: #16191d }
code, pre { background: #22272e } section { border-color: #323a44 } .way { color: #9aa5b1 } a { color: #8ab4f8 } }
"""
_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
_WAYS: Final = {"receive": "opsledger receives", "send": "opsledger sends"}


@needs(Permission.READ)
async def asyncapi_json(request: Request) -> Response:  # noqa: ARG001  the same for everybody
    """Give the AsyncAPI document."""
    return JSONResponse(document())


@needs(Permission.READ)
async def asyncapi_page(request: Request) -> Response:  # noqa: ARG001  the same for everybody
    """Show the AsyncAPI document."""
    return HTMLResponse(page(), headers=_HEADERS)


@cache
def page() -> str:
    """Return the page, made once."""
    found = document()
    operations = "".join(_operation(found, name, one) for name, one in found["operations"].items())
    schemas = "".join(_schema(name, one) for name, one in found["components"]["schemas"].items())
    info = found["info"]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}: the bus</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f"<h1>{escape(info['title'])}: the bus</h1><p>{escape(info['description'])}</p>"
        f'<p class="way">AsyncAPI {escape(found["asyncapi"])}, version {escape(info["version"])}: '
        f'<a href="/asyncapi.json">asyncapi.json</a></p>'
        f"<h2>Messages</h2>{operations}<h2>Schemas</h2>{schemas}</body></html>"
    )


def _operation(found: dict[str, Any], name: str, operation: dict[str, Any]) -> str:
    channel = _at(found, operation["channel"])
    messages = [_at(found, _at(found, one)) for one in operation["messages"]]
    way, about = _WAYS[operation["action"]], escape(channel.get("description", ""))
    address = f"<code>{escape(channel['address'])}</code>"
    parts = [f'<section id="{escape(name)}">{address} <span class="way">{way}</span><p>{about}</p>']
    parts += [_parameter(name, one) for name, one in channel.get("parameters", {}).items()]
    for message in messages:
        parts.append(f"<p>Payload: {_link(message['payload'])}</p>")
        if "headers" in message:
            parts.append(f"<p>Headers: {_link(message['headers'])}</p>")
    if "reply" in operation:
        answers = [_at(found, _at(found, one)) for one in operation["reply"]["messages"]]
        where = operation["reply"].get("address", {}).get("location", "the reply subject")
        parts += [f"<p>Answer to <code>{escape(where)}</code>: {_link(one['payload'])}</p>" for one in answers]
    return "".join(parts) + "</section>"


def _parameter(name: str, one: dict[str, Any]) -> str:
    return f"<dl><dt><code>{escape(name)}</code></dt><dd>{escape(one.get('description', ''))}</dd></dl>"


def _schema(name: str, schema: dict[str, Any]) -> str:
    text = escape(json.dumps(schema, indent=2))
    about = escape(schema.get("description", ""))
    return (
        f'<section id="schema-{escape(name)}"><details><summary><code>{escape(name)}</code> {about}</summary>'
        f"<pre>{text}</pre></details></section>"
    )


def _link(reference: dict[str, Any]) -> str:
    name = escape(str(reference["$ref"]).rpartition("/")[2])
    return f'<a href="#schema-{name}"><code>{name}</code></a>'


def _at(found: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference into the document names."""
    place: Any = found
    for step in str(reference["$ref"]).removeprefix("#/").split("/"):
        place = place[step]
    assert isinstance(place, dict)  # noqa: S101  the document is ours
    return place
