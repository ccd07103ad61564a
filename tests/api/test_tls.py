"""What can be wrong with the files of TLS is said before anything is served."""

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from server.api.tls import tls_of
from server.config import TlsRoles, TlsSection
from server.errors import StartError


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open sesame"),
    )
    contents = {
        "CERT": leaf.cert_chain_pems[0].bytes(),
        "KEY": leaf.private_key_pem.bytes(),
        "CA": authority.cert_pem.bytes(),
        "OTHER": authority.issue_cert("other").private_key_pem.bytes(),
        "SECRET": secret,
        "NONSENSE": b"hello",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: str(folder / name) for name in contents}


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"cert": "CERT"}, "tls.cert is set, and tls.key is not"),
        ({"key": "KEY"}, "tls.key is set, and tls.cert is not"),
        ({"client_ca": "CA"}, "tls.client_ca is set, and tls.cert is not"),
        ({"cert": "/nowhere", "key": "KEY"}, "tls.cert /nowhere: cannot be read: No such file"),
        ({"cert": "CERT", "key": "/nowhere"}, "tls.key /nowhere: cannot be read: No such file"),
        ({"cert": "NONSENSE", "key": "KEY"}, "they are not a certificate and its key in PEM"),
        ({"cert": "CERT", "key": "CERT"}, "they are not a certificate and its key in PEM"),
        ({"cert": "CERT", "key": "OTHER"}, "the key is not that of the certificate"),
        ({"cert": "CERT", "key": "SECRET"}, "the key has a password"),
        ({"cert": "CERT", "key": "KEY", "client_ca": "KEY"}, "it holds no certificate in PEM"),
        ({"cert": "CERT", "key": "KEY", "client_ca": "/nowhere"}, "tls.client_ca /nowhere: cannot be read"),
    ],
)
def test_what_is_wrong_with_the_files(files: dict[str, str], section: dict[str, str], words: str) -> None:
    named = {key: files.get(name, name) for key, name in section.items()}
    with pytest.raises(StartError) as refused:
        tls_of(TlsSection(**named))
    assert words in str(refused.value)


def test_roles_without_a_ca_are_a_mistake(files: dict[str, str]) -> None:
    section = TlsSection(cert=files["CERT"], key=files["KEY"], roles=TlsRoles(admin=("me",)))
    with pytest.raises(StartError, match=r"tls\.client_ca is not set"):
        tls_of(section)


def test_without_a_certificate_it_is_plain_http(files: dict[str, str]) -> None:
    assert tls_of(TlsSection()) is None
    assert tls_of(TlsSection(cert=files["CERT"], key=files["KEY"], client_ca=files["CA"])) is not None
