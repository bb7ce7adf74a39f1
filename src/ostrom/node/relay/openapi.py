"""The relay's interface as an OpenAPI document (https://spec.openapis.org/oas/v3.1.0).

Made of the same table of fields that reads the messages, so it cannot say anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ostrom.node.relay.messages import FORMS
from ostrom.version import VERSION

ANSWERS: Mapping[int, str] = {
    200: "known already, or the chain has it",
    202: "taken: it is on the relay's disk",
    400: "no message of this kind in canonical form",
    403: "not signed by the account, not a member that may act, or refused by the contract",
    404: "for another chain, contract or task",
    408: "the body came too slowly",
    409: "too early, or another message of this account was first",
    410: "too late: the phase or the round is over, or the wish has expired",
    413: "too long",
    415: "not application/json, or encoded",
    429: "too many requests of this source, or more than the relay pays for",
    431: "too many headers",
    503: "ask again later",
}
"""What each status means."""


def message_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of message.

    >>> message_schema("commit")["properties"]["kind"]
    {'const': 'commit'}
    """
    form = FORMS[kind]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["kind", *form],
        "properties": {
            "kind": {"const": kind},
            **{
                name: {**field.schema, "description": field.meaning} for name, field in form.items()
            },
        },
    }


def openapi(kinds: Sequence[str]) -> dict[str, Any]:
    """The document for a relay that carries these kinds.

    >>> sorted(openapi(["commit"])["paths"])
    ['/openapi.json', '/v1/commit', '/v1/status']
    """
    posts = {f"/v1/{kind}": {"post": _post(kind)} for kind in kinds}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ostrom relay",
            "version": VERSION,
            "description": "Carries signed messages to the chain. Bodies are canonical JSON: "
            "sorted keys, no white space.",
        },
        "paths": {
            **posts,
            "/v1/status": {"get": _get("What the relay serves and sees")},
            "/openapi.json": {"get": _get("This document")},
        },
        "components": {
            "schemas": {
                **{kind: message_schema(kind) for kind in kinds},
                "answer": _one_line("line"),
                "error": _one_line("error"),
            }
        },
    }


def _post(kind: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{kind}"}
    return {
        "summary": f"Hand in a {kind}",
        "operationId": kind,
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {str(status): _answer(status, text) for status, text in ANSWERS.items()},
    }


def _answer(status: int, text: str) -> dict[str, Any]:
    name = "answer" if status < 300 else "error"
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _get(summary: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {"summary": summary, "responses": {"200": {"description": "", "content": content}}}


def _one_line(name: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [name],
        "properties": {name: {"type": "string", "description": "one line"}},
    }
