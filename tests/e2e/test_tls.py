"""The API over TLS: certificates of both sides, roles by certificate, new files while it serves."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme

from tests.e2e.access import error_of, make_token, until
from tests.e2e.test_bind import refusal
from tests.installation import PROGRAM, Installation, bad_flow


class Files:
    """PEM files of a server, a CA of clients, and clients."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority, self.clients = trustme.CA(), trustme.CA()
        self.cert, self.key = folder / "server.pem", folder / "server.key"
        self.ca, self.client_ca = folder / "ca.pem", folder / "clients.pem"
        self.authority.cert_pem.write_to_path(str(self.ca))
        self.clients.cert_pem.write_to_path(str(self.client_ca))
        self.new_certificate()

    def new_certificate(self) -> None:
        leaf = self.authority.issue_cert("localhost", "127.0.0.1")
        # never half a pair under the names that are looked at
        for blob, path in ((leaf.private_key_pem, self.key), (leaf.cert_chain_pems[0], self.cert)):
            blob.write_to_path(f"{path}.new")
            Path(f"{path}.new").rename(path)

    def client(self, name: str, authority: trustme.CA | None = None) -> Path:
        """A client's certificate and key in one file."""
        path = self.folder / f"{name}.pem"
        leaf = (authority or self.clients).issue_cert(f"{name}.test", common_name=name)
        path.write_bytes(leaf.private_key_and_cert_chain_pem.bytes())
        return path

    def trust(self, client: Path | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca))
        if client is not None:
            context.load_cert_chain(str(client))
        return context

    def conf(self, *more: str) -> Path:
        path = self.folder / "tls.toml"
        path.write_text("\n".join(["[tls]", f'cert = "{self.cert}"', f'key = "{self.key}"', *more, ""]))
        return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("pem"))


ROLES = ("[tls.roles]", 'read = ["*"]', 'operate = ["works"]', 'admin = ["boss.test"]')


@pytest.fixture(scope="module")
def server(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Asks for clients' certificates, and knows roles by them."""
    conf = files.conf(f'client_ca = "{files.client_ca}"', *ROLES)
    with installation(tmp_path_factory.mktemp("tls"), files, conf, files.client("boss")) as server:
        yield server


def installation(folder: Path, files: Files, conf: Path, client: Path | None = None) -> Installation:
    server = Installation(folder / "state", None, "--conf", str(conf))
    server.http.close()
    server.http = browser(server, files, client)
    return server.start()


def browser(server: Installation, files: Files, client: Path | None = None, **more: object) -> httpx.Client:
    base = f"https://127.0.0.1:{server.port}"
    return httpx.Client(base_url=base, verify=files.trust(client), timeout=30, trust_env=False, **more)  # type: ignore[arg-type]


def test_a_certificate_has_the_role_of_its_name(server: Installation, files: Files) -> None:
    with browser(server, files, files.client("guest")) as guest:
        assert guest.get("/version").status_code == 200
        assert error_of(guest.delete(f"{server.base}/nobody")) == (403, "MODELBOX_011")
        assert "cert:guest has the role read" in guest.delete(f"{server.base}/nobody").json()["error_msg"]
    with browser(server, files, files.client("works")) as works:
        assert works.delete(f"{server.base}/nobody").status_code == 404
        assert works.get("/v1/modelbox/tokens").status_code == 403
    # by its alternative name
    assert server.http.get("/v1/modelbox/tokens").status_code == 200


def test_who_asked_is_in_the_history(server: Installation, files: Files) -> None:
    with browser(server, files, files.client("works")) as works:
        assert works.put(server.base, json={"job_id": "by-cert", "job_graph": bad_flow()}).status_code == 400
        events = works.get(f"{server.base}/by-cert/history").json()["events"]
        assert events[0]["actor"] == "cert:works@127.0.0.1"


def test_a_token_counts_more_than_a_certificate(server: Installation, files: Files) -> None:
    headers = {"Authorization": f"Bearer {make_token(server, 'reads', 'read')}"}
    with browser(server, files, files.client("works"), headers=headers) as works:
        answer = works.delete(f"{server.base}/nobody")
        assert error_of(answer) == (403, "MODELBOX_011")
        assert "token:reads" in answer.json()["error_msg"]


def test_without_a_certificate_of_theirs_nobody_connects(server: Installation, files: Files) -> None:
    stranger = files.client("stranger", trustme.CA())
    for client in (None, stranger):
        with browser(server, files, client) as http, pytest.raises(httpx.TransportError):
            http.get("/health/live")


def test_old_versions_of_tls_and_plain_http_are_not_spoken(server: Installation, files: Files) -> None:
    context = files.trust(files.client("works"))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", server.port)) as plain, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(plain, server_hostname="127.0.0.1")
    with httpx.Client(trust_env=False) as http, pytest.raises(httpx.TransportError):
        http.get(f"http://127.0.0.1:{server.port}/health/live")


def test_who_sends_half_a_handshake_holds_nobody_up(server: Installation) -> None:
    half = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    for connection in half:
        connection.sendall(b"\x16\x03\x01\x02\x00")
    assert server.http.get("/health/live").status_code == 200
    for connection in half:
        connection.close()


def job(server: Installation, *argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), "job", *argv, "--url", f"https://127.0.0.1:{server.port}"],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": str(server.state_dir.parent), **environ},
    )


def test_the_command_line_over_tls(server: Installation, files: Files) -> None:
    works = str(files.client("works"))
    done = job(server, "list", "--ca-cert", str(files.ca), "--client-cert", works)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("JOB")
    environ = {"MODELBOX_CA_CERT": str(files.ca), "MODELBOX_CLIENT_CERT": works}
    assert job(server, "list", **environ).returncode == 0
    untrusted = job(server, "list", "--client-cert", works)
    assert (untrusted.returncode, "--ca-cert" in untrusted.stderr) == (5, True)
    unknown = job(server, "list", "--ca-cert", str(files.ca))
    assert (unknown.returncode, "--client-cert" in unknown.stderr) == (5, True)
    missing = job(server, "list", "--ca-cert", "/nowhere.pem")
    assert (missing.returncode, "/nowhere.pem: No such file" in missing.stderr) == (2, True)
    nonsense = files.folder / "nonsense.pem"
    nonsense.write_text("hello")
    for option in ("--ca-cert", "--client-cert"):
        assert job(server, "list", option, str(nonsense)).returncode == 2


def serial(server: Installation, files: Files, client: Path | None = None) -> int:
    """Of the certificate that a new connection gets."""
    with (
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        files.trust(client).wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        certificate = connection.getpeercert()
        assert certificate is not None
        return int(str(certificate["serialNumber"]), 16)


def test_new_files_count_without_a_restart(tmp_path: Path) -> None:
    files = Files(tmp_path)
    conf = files.conf(f'client_ca = "{files.client_ca}"')
    old_client = files.client("old")
    with installation(tmp_path, files, conf, old_client) as server:
        first = serial(server, files, old_client)
        files.cert.write_text("half a file")
        until(lambda: "TLS goes on with the files as they were" in server.output())
        assert serial(server, files, old_client) == first
        kept = server.http.get("/version").status_code
        files.new_certificate()
        until(lambda: serial(server, files, old_client) != first)
        files.clients = trustme.CA()
        files.clients.cert_pem.write_to_path(str(files.client_ca))
        new_client = files.client("new")
        until(lambda: connects(server, files, new_client))
        # the CA that was taken out is not trusted any more, by new connections
        assert not connects(server, files, old_client)
        assert server.http.get("/version").status_code == kept == 200


def connects(server: Installation, files: Files, client: Path) -> bool:
    with browser(server, files, client) as http:
        try:
            return http.get("/health/live").status_code == 200
        except httpx.TransportError:
            return False


def test_tls_without_certificates_of_clients(files: Files, tmp_path: Path) -> None:
    conf = files.conf("[access]", 'tokens = "required"')
    with installation(tmp_path, files, conf) as server:
        assert f"serving on https://127.0.0.1:{server.port}" in server.output()
        assert server.http.get("/version").status_code == 401
        profiles = tmp_path / "config" / "modelbox-server" / "profiles.toml"
        profiles.parent.mkdir(parents=True)
        token = make_token(server, "cli", "read")
        url = f"https://127.0.0.1:{server.port}"
        profiles.write_text(f'[edge]\nurl = "{url}"\ntoken = "{token}"\nca_cert = "{files.ca}"\n')
        profiles.chmod(0o600)
        home = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
        assert job(server, "list", "--profile", "edge", **home).returncode == 0
        refused = job(server, "delete", "nobody", "--profile", "edge", **home)
        assert (refused.returncode, "has the role read" in refused.stderr) == (6, True)


def test_files_that_are_wrong_keep_it_from_starting(files: Files, tmp_path: Path) -> None:
    conf = tmp_path / "bad.toml"
    conf.write_text(f'[tls]\ncert = "{files.cert}"\nkey = "/nowhere"\n')
    line = refusal(tmp_path / "state", "serve", "127.0.0.1", "--conf", str(conf))
    assert "tls.key /nowhere: cannot be read: No such file" in line
