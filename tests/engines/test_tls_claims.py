"""An address with https is one job's alone: connections cannot be handed over once TLS has begun."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.engines.claims import ClaimRefused, Claims
from server.engines.protocol import ClaimedEndpoint
from server.engines.rundir import RunDir
from tests.engines.jobs import free_port


@pytest.fixture
def claims(tmp_path: Path) -> Iterator[Claims]:
    run_dir = RunDir(tmp_path)
    run_dir.create()
    made = Claims(run_dir)
    yield made
    made.close()


def endpoint(port: int, path: str, *, tls: bool) -> ClaimedEndpoint:
    return ClaimedEndpoint(host="127.0.0.1", address="127.0.0.1", port=port, path=path, tls=tls)


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_another_job_is_refused_by_name(claims: Claims, first: bool, second: bool) -> None:
    port = free_port()
    claims.claim("a", endpoint(port, "/a", tls=first))
    with pytest.raises(ClaimRefused, match=r"job a serves https?.*choose another port"):
        claims.claim("b", endpoint(port, "/b", tls=second))


def test_the_same_job_has_several_paths(claims: Claims) -> None:
    port = free_port()
    one = claims.claim("a", endpoint(port, "/a", tls=True))
    assert claims.claim("a", endpoint(port, "/b", tls=True)) is one


def test_http_and_https_on_one_address_are_refused(claims: Claims) -> None:
    port = free_port()
    claims.claim("a", endpoint(port, "/a", tls=True))
    with pytest.raises(ClaimRefused, match="http and https on one address"):
        claims.claim("a", endpoint(port, "/b", tls=False))


def test_a_refusal_leaves_the_owner_as_it_was(claims: Claims) -> None:
    port = free_port()
    claims.claim("a", endpoint(port, "/a", tls=True))
    with pytest.raises(ClaimRefused):
        claims.claim("b", endpoint(port, "/b", tls=False))
    claims.claim("a", endpoint(port, "/c", tls=True))


def test_a_restored_claim_is_still_one_jobs_alone(claims: Claims) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    claims.restore("a", endpoint(port, "/a", tls=True), listener.detach())
    with pytest.raises(ClaimRefused, match="one job's alone"):
        claims.claim("b", endpoint(port, "/b", tls=True))


def test_a_released_address_is_free_for_either(claims: Claims) -> None:
    port = free_port()
    claims.claim("a", endpoint(port, "/a", tls=True))
    claims.release("a")
    claims.claim("b", endpoint(port, "/b", tls=False))
