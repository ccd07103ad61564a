"""Loaded by schemathesis: ids of jobs that there are, graphs that run, and no request that is meant to last."""

import json
import os
from contextlib import suppress
from hashlib import blake2b
from typing import Any

import schemathesis
from schemathesis import HookContext

FLOW_PORT = int(os.environ.get("DESCRIBED_FLOW_PORT", "0"))
JOBS = ("runs", "failed", "gone", "nobody")
LONGEST_WAIT = 60


@schemathesis.hook
def map_body(context: HookContext, body: Any) -> Any:
    """What is made up is no graph of units: of the bodies that have one, seven in eight get one that runs. What
    is no graph by its type is there for the server to refuse."""
    if not isinstance(body, dict) or not isinstance(body.get("job_graph"), dict | str):
        return body
    if not isinstance(body.get("job_graph_format"), str | None):
        return body
    chosen = some_bytes(body)
    if chosen[0] % 8 == 0:
        return body
    return {**body, "job_graph": flow(f"/{chosen.hex()}"), "job_graph_format": None}


def some_bytes(value: Any) -> bytes:
    """The same ones for the same value, so that what failed can be run again."""
    return blake2b(repr(value).encode(errors="replace"), digest_size=4).digest()


def flow(path: str) -> dict[str, Any]:
    receive = f'receive[flowunit=httpserver_sync_receive, endpoint="http://127.0.0.1:{FLOW_PORT}{path}"]'
    reply = "reply[flowunit=httpserver_sync_reply]"
    edge = "receive:out_request_info -> reply:in_reply_info"
    return {"graph": {"format": "graphviz", "graphconf": f"digraph described {{ {receive}; {reply}; {edge} }}"}}


@schemathesis.hook
def filter_query(context: HookContext, query: Any) -> bool:
    """What is no such value, and looks like one in a URL, is nothing that the server could refuse: null, `false`
    or a number for a text, or an empty object, of which nothing is written."""
    if not isinstance(query, dict) or context.operation is None:
        return True
    described = context.operation.definition.raw.get("parameters", ())
    texts = {one["name"] for one in described if one["in"] == "query" and '"string"' in json.dumps(one["schema"])}
    return not any(value in ({}, []) or (name in texts and _is_scalar(value)) for name, value in query.items())


def _is_scalar(value: Any) -> bool:
    """Also as a text: lists have been joined to one here."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return False
    return value is None or isinstance(value, bool | int | float)


@schemathesis.hook
def map_path_parameters(context: HookContext, path_parameters: Any) -> Any:
    """Half of the ids are of jobs that the test has made."""
    if not isinstance(path_parameters, dict) or "job_id" not in path_parameters:
        return path_parameters
    chosen = some_bytes(path_parameters)
    if chosen[0] % 2:
        return path_parameters
    return {**path_parameters, "job_id": JOBS[chosen[1] % len(JOBS)]}


@schemathesis.hook
def before_call(context: HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Streams have no end, and nobody waits here. What is no such value is sent, for the server to refuse."""
    query = case.query or {}
    if str(query.get("follow")).lower() in ("true", "1"):
        query["follow"] = False
    with suppress(TypeError, ValueError):
        if "wait" in query and 0 < float(query["wait"]) <= LONGEST_WAIT:
            query["wait"] = 0
