"""Tokens, roles and label scopes, as values."""

from datetime import UTC, datetime, timedelta

import pytest

from server.jobs.access import EVERYTHING, Role, Token, covers, id_in, new_token_text, sha256_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def token(text: str, **more: object) -> Token:
    values = {"id": id_in(text), "name": "ci", "role": Role.READ, "scope": {}, "sha256": sha256_of(text)}
    return Token(**(values | {"created_at": NOW} | more))  # type: ignore[arg-type]


def test_every_token_is_another_and_has_a_public_part() -> None:
    texts = {new_token_text() for _ in range(200)}
    assert len(texts) == len({id_in(text) for text in texts}) == 200
    assert all(len(text) == len("mbx_") + 8 + 1 + 40 for text in texts)


def test_what_is_kept_of_a_token_does_not_hold_its_secret() -> None:
    text = new_token_text()
    kept = repr(token(text))
    assert text.rpartition("_")[2] not in kept
    assert text.rpartition("_")[0] in f"mbx_{token(text).id}"


def test_a_token_knows_its_own_text_and_no_other() -> None:
    text = new_token_text()
    assert token(text).is_of(text)
    last = "a" if text[-1] != "a" else "b"
    assert not token(text).is_of(text[:-1] + last)
    assert not token(text).is_of("")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mbx_",
        "mbx_12345678_",
        "Mbx_12345678_" + "x" * 40,
        "mbx_12345678_" + "é" * 40,
        "mbx_1234567_" + "x" * 41,
    ],
)
def test_what_is_not_of_the_form_is_no_token(text: str) -> None:
    assert id_in(text) is None
    assert id_in("mbx_12345678_" + "x" * 40 + "\n") is None


def test_a_token_is_over_when_it_expires_or_is_revoked() -> None:
    text = new_token_text()
    until = NOW + timedelta(hours=1)
    assert token(text).state(NOW) == "valid"
    assert token(text, expires_at=until).state(NOW) == "valid"
    assert token(text, expires_at=until).state(until) == "expired"
    assert token(text, expires_at=until, revoked_at=NOW).state(until) == "revoked"


def test_each_role_includes_those_before_it() -> None:
    includes = {(one, other) for one in Role for other in Role if one.includes(other)}
    read, operate, admin = Role.READ, Role.OPERATE, Role.ADMIN
    assert includes == {
        (read, read),
        (operate, operate),
        (operate, read),
        (admin, admin),
        (admin, operate),
        (admin, read),
    }


def test_a_scope_covers_jobs_that_have_all_its_labels() -> None:
    scope = {"team": "a", "site": "north"}
    assert covers(scope, {"team": "a", "site": "north", "more": "x"})
    assert not covers(scope, {"team": "a"})
    assert not covers(scope, {"team": "a", "site": "south"})
    assert not covers(scope, {})
    assert covers(EVERYTHING, {})
