"""What a careful client says in the head of a request that changes something: `Idempotency-Key`, `If-Match`,
`If-None-Match`."""

import re
from hashlib import sha256

from sanic import Request

from server.api.parameters import InvalidParameter
from server.jobs.condition import ANY, NO_CONDITION, Condition

KEY = "Idempotency-Key"
IF_MATCH = "If-Match"
IF_NONE_MATCH = "If-None-Match"
MOST_LETTERS = 255

_BARE = re.compile(r"[!#-+\--~]{1,255}")
"""Visible ASCII without quotes and commas, which would make a string or a list of it."""
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_TAG = re.compile(r'(W/)?("[!#-~\x80-\xff]*")')


def key_of(request: Request) -> str | None:
    """Raises: InvalidParameter."""
    given = [str(text).strip() for text in request.headers.getall(KEY.lower(), ())]
    if not given:
        return None
    if len(given) > 1:
        raise InvalidParameter(KEY, "given twice", "header")
    quoted = _STRING.fullmatch(given[0])
    if quoted is not None:
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    else:
        key = given[0] if _BARE.fullmatch(given[0]) else ""
    if not 0 < len(key) <= MOST_LETTERS:
        raise InvalidParameter(
            KEY, f"must be 1 to {MOST_LETTERS} visible ASCII characters, in quotes or without commas", "header"
        )
    return key


def condition_of(request: Request) -> Condition:
    """Raises: InvalidParameter."""
    headers = request.headers
    if IF_MATCH.lower() not in headers and IF_NONE_MATCH.lower() not in headers:
        return NO_CONDITION
    none_match = _joined(request, IF_NONE_MATCH)
    if none_match not in (None, ANY):
        raise InvalidParameter(IF_NONE_MATCH, "must be * here: that there is no such job yet", "header")
    return Condition(matches=_tags_in(_joined(request, IF_MATCH)), must_be_new=none_match is not None)


def fingerprint_of(request: Request) -> str:
    """The same for the same request only: `Prefer`, which says how to answer, is left out."""
    digest = sha256()
    parts = [_joined(request, name) or "" for name in (IF_MATCH, IF_NONE_MATCH)]
    for part in (request.method, request.path, request.query_string, *parts):
        digest.update(part.encode("utf-8", "surrogateescape") + b"\n")
    digest.update(request.body)
    return digest.hexdigest()


def _joined(request: Request, name: str) -> str | None:
    given = [str(text).strip() for text in request.headers.getall(name.lower(), ())]
    return ", ".join(given) if given else None


def _tags_in(text: str | None) -> tuple[str, ...] | None:
    """Those that can match: a weak one never does."""
    if text is None:
        return None
    if text == ANY:
        return (ANY,)
    tags: list[str] = []
    for part in text.split(","):
        found = _TAG.fullmatch(part.strip())
        if found is None:
            raise InvalidParameter(
                IF_MATCH, 'must be * or tags such as "1-1", as GET answers them in ETag', "header"
            )
        if not found[1]:
            tags.append(found[2])
    return tuple(tags)
