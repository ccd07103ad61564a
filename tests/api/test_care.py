from typing import Any

import pytest
from sanic import Request
from sanic.compat import Header

from server.api.care import condition_of, fingerprint_of, key_of
from server.api.parameters import InvalidParameter
from server.jobs.condition import ANY, NO_CONDITION, Condition


def request(*headers: tuple[str, str], url: bytes = b"/v1/modelbox/job", body: bytes = b"{}") -> Request:
    made: Any = Request(url, Header(headers), "1.1", "PUT", None, None)  # type: ignore[arg-type]
    made.body = body
    return made  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ('"8e03978e-40d5-43e8-bc93-6f3e3ac9a6c1"', "8e03978e-40d5-43e8-bc93-6f3e3ac9a6c1"),
        ("8e03978e-40d5-43e8-bc93-6f3e3ac9a6c1", "8e03978e-40d5-43e8-bc93-6f3e3ac9a6c1"),
        (r'"a \"b\" \\ c, d"', r'a "b" \ c, d'),
        ("a;b?-~", "a;b?-~"),
        ("k" * 255, "k" * 255),
    ],
)
def test_keys(sent: str, key: str) -> None:
    assert key_of(request(("idempotency-key", sent))) == key


@pytest.mark.parametrize("sent", ["", '""', '"', "a b", "a,b", '"a"b', "k" * 256, f'"{"k" * 256}"', "ä", '"\t"'])
def test_no_keys(sent: str) -> None:
    with pytest.raises(InvalidParameter, match="Idempotency-Key"):
        key_of(request(("idempotency-key", sent)))


def test_two_keys_are_none() -> None:
    with pytest.raises(InvalidParameter, match="twice"):
        key_of(request(("idempotency-key", "a"), ("idempotency-key", "b")))
    assert key_of(request()) is None


@pytest.mark.parametrize(
    ("sent", "matches"),
    [
        ('"1-2"', ('"1-2"',)),
        ('"1-2", "1-3"', ('"1-2"', '"1-3"')),
        ("*", (ANY,)),
        ('W/"1-2"', ()),
        ('W/"1-2","x"', ('"x"',)),
    ],
)
def test_if_match(sent: str, matches: tuple[str, ...]) -> None:
    assert condition_of(request(("if-match", sent))) == Condition(matches=matches)


@pytest.mark.parametrize("sent", ["1-2", "", '"1-2" "1-3"', '"a"b"', "**", '*, "1-2"'])
def test_if_match_that_is_none(sent: str) -> None:
    with pytest.raises(InvalidParameter, match="If-Match"):
        condition_of(request(("if-match", sent)))


def test_tags_of_several_lines_are_one_list() -> None:
    assert condition_of(request(("if-match", '"a"'), ("if-match", '"b"'))).matches == ('"a"', '"b"')


def test_if_none_match() -> None:
    assert condition_of(request()) is NO_CONDITION
    assert condition_of(request(("if-none-match", "*"))) == Condition(must_be_new=True)
    with pytest.raises(InvalidParameter, match="If-None-Match"):
        condition_of(request(("if-none-match", '"1-2"')))


def test_a_fingerprint_is_of_all_that_the_request_means_and_not_of_how_to_answer() -> None:
    first = fingerprint_of(request())
    assert fingerprint_of(request(("prefer", "respond-async"))) == first
    others = [
        request(body=b"{ }"),
        request(url=b"/v1/modelbox/job/a"),
        request(url=b"/v1/modelbox/job?dry_run=true"),
        request(("if-match", "*")),
        request(("if-none-match", "*")),
    ]
    assert len({first, *map(fingerprint_of, others)}) == len(others) + 1
