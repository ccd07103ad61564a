"""Names in certificates, and the roles that the configuration gives them."""

from types import SimpleNamespace
from typing import Any

import pytest

from server.api.certificates import gives_roles, names_in, role_of, shown_name
from server.config import TlsRoles
from server.jobs.access import Role

ROLES = TlsRoles(read=("*",), operate=("works", "both"), admin=("boss", "both"))
CERTIFICATE = {
    "subject": ((("organizationName", "O"),), (("commonName", "works"),)),
    "subjectAltName": (("DNS", "works.test"), ("email", "w@test"), ("othername", "<unsupported>")),
}


def request(certificate: dict[str, Any] | None, *, has_tls: bool = True) -> Any:
    tls = SimpleNamespace(getpeercert=lambda: certificate)
    transport = SimpleNamespace(get_extra_info=lambda _: tls)
    return SimpleNamespace(transport=transport, conn_info=SimpleNamespace(ssl=has_tls, ctx=SimpleNamespace()))


@pytest.mark.parametrize(
    ("certificate", "names"),
    [
        (CERTIFICATE, ("works", "works.test", "w@test")),
        ({"subject": (), "subjectAltName": (("URI", "spiffe://x"),)}, ("spiffe://x",)),
        ({}, ()),
        (None, ()),
    ],
)
def test_the_names_of_a_certificate(certificate: dict[str, Any] | None, names: tuple[str, ...]) -> None:
    assert names_in(request(certificate)) == names


def test_without_tls_there_are_none() -> None:
    assert names_in(request(CERTIFICATE, has_tls=False)) == ()


@pytest.mark.parametrize(
    ("names", "role"),
    [
        (("boss",), Role.ADMIN),
        (("someone", "works"), Role.OPERATE),
        (("both",), Role.ADMIN),
        (("someone",), Role.READ),
        ((), None),
        (("BOSS",), Role.READ),
    ],
)
def test_the_highest_role_counts(names: tuple[str, ...], role: Role | None) -> None:
    assert role_of(names, ROLES) is role


def test_without_roles_a_certificate_has_none() -> None:
    assert role_of(("boss",), TlsRoles()) is None
    assert not gives_roles(TlsRoles())
    assert gives_roles(ROLES)


def test_a_name_is_shown_in_one_line_and_not_at_any_length() -> None:
    assert shown_name("a\nb\x00c\x1b[1m") == "a?b?c?[1m"
    assert len(shown_name("x" * 5000)) == 100
