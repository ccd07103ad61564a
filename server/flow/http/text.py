"""Request bodies: which are text, and in which encoding."""

import codecs

_TEXT_TYPES = frozenset(
    {
        "application/json",
        "application/xml",
        "application/javascript",
        "application/x-javascript",
        "application/x-www-form-urlencoded",
        "application/xhtml+xml",
        "application/x-ndjson",
        "application/yaml",
        "application/toml",
    }
)
_ENCODINGS = {
    "utf-8": "utf-8",
    "iso8859-1": "latin-1",
    "ascii": "utf-8",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
}


def text_of(content_type: str, body: bytes) -> bytes | None:
    """The body as UTF-8, or None when it is to be taken as bytes.

    A body that is not what its type says is taken as bytes, too: curl labels whatever it sends as a form.
    """
    if content_type == "application/x-www-form-urlencoded":
        return _utf8(body)
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    if not (kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml"))):
        return None
    encoding = _encoding(parameters)
    if encoding is None:
        return None
    if encoding == "utf-8":
        return _utf8(body)
    try:
        return body.decode(encoding).encode()
    except UnicodeError:
        return None


def _utf8(body: bytes) -> bytes | None:
    if body.isascii():
        return body
    try:
        body.decode()
    except UnicodeDecodeError:
        return None
    return body


def _encoding(parameters: str) -> str | None:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() != "charset":
            continue
        try:
            found = codecs.lookup(value.strip().strip('"')).name
        except (LookupError, ValueError):
            return None
        return _ENCODINGS.get(found)
    return "utf-8"
