from pathlib import Path

import msgspec
import pytest
import tomli

from server.config import Config, load_config
from server.errors import StartError

SHIPPED = Path(__file__).parent.parent / "conf" / "server.toml"


def as_toml(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return {key: as_toml(getattr(value, key)) for key in value.__struct_fields__}
    return list(value) if isinstance(value, tuple) else value


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "my.toml"
    path.write_text(text)
    return path


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(StartError) as caught:
        load_config(write(tmp_path, text), {}, {})
    return str(caught.value)


def test_the_shipped_file_shows_every_key_with_its_default() -> None:
    shown = tomli.loads(SHIPPED.read_text())
    assert shown == as_toml(Config())


def test_every_key_has_a_line_on_what_it_is_for() -> None:
    keys = [line for line in SHIPPED.read_text().splitlines() if "=" in line and not line.startswith("#")]
    assert keys
    assert [line for line in keys if "#" not in line] == []


def test_options_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    conf = write(tmp_path, '[server]\nhost = "file"\nport = 1\nlog_level = "error"\n')
    environ = {"MODELBOX_SERVER_HOST": "environ", "MODELBOX_SERVER_PORT": "2", "HOME": str(tmp_path)}
    config = load_config(conf, {"server.host": "option", "server.port": None}, environ)
    assert (config.server.host, config.server.port, config.server.log_level) == ("option", 2, "error")
    assert config.server.max_body_bytes == Config().server.max_body_bytes


def test_environment_variables_of_every_type(tmp_path: Path) -> None:
    environ = {
        "MODELBOX_ACL_ALLOW": "127.0.0.1, 10.0.0.0/8",
        "MODELBOX_ENGINE_STOP_GRACE": "0.5",
        "MODELBOX_ENGINE_MAX_STARTING": "3",
        "MODELBOX_ENGINE_LIMITS_CPU": "0.5",
        "MODELBOX_JOBS_MAX": "7",
        "MODELBOX_ENGINE_RESTART_ON_STALL": "true",
        "MODELBOX_SERVER_STATE_DIR": str(tmp_path),
    }
    config = load_config(None, {}, environ)
    assert config.acl.allow == ("127.0.0.1", "10.0.0.0/8")
    assert (config.engine.stop_grace, config.engine.max_starting) == (0.5, 3)
    assert (config.engine.limits.cpu, config.jobs.max) == (0.5, 7)
    assert config.engine.restart_policy.on_stall is True
    environ["MODELBOX_ENGINE_RESTART_ON_STALL"] = "false"
    assert load_config(None, {}, environ).engine.restart_policy.on_stall is False


def test_the_state_directory_is_under_the_users_state_home(tmp_path: Path) -> None:
    config = load_config(None, {}, {"XDG_STATE_HOME": str(tmp_path)})
    assert config.state_dir == tmp_path / "modelbox-server"
    assert config.database_url == f"sqlite:///{tmp_path}/modelbox-server/modelbox.db"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nprot = 1", "unknown key 'server.prot'"),
        ("[sever]\nport = 1", "unknown key 'sever'"),
        ("port = 1", "unknown key 'port'"),
        ('[server]\nport = "1104"', "server.port: expected int, got str"),
        ("[server]\nport = 70000", "server.port: expected int <= 65535"),
        ("[server]\nport = true", "server.port: expected int, got bool"),
        ("[acl]\nallow = [1]", "acl.allow"),
        ('[acl]\nallow = ["10.0.0.0/99"]', "acl.allow"),
        ("[engine]\nstop_grace = -1", "engine.stop_grace"),
        ('[server]\nlog_level = "loud"', "server.log_level"),
        ("[engine.limits]\nmemory = 1024", "engine.limits: memory must be at least"),
        ("[engine.limits]\nmem = 1", "unknown key 'engine.limits.mem'"),
        ("server = 1", "server: expected object, got int"),
        ("[server", "not valid TOML"),
    ],
)
def test_a_bad_file_is_told_by_path_and_key(tmp_path: Path, text: str, words: str) -> None:
    message = refusal(tmp_path, text)
    assert words in message
    assert "my.toml" in message
    assert "\n" not in message


def test_a_bad_variable_is_told_by_name() -> None:
    with pytest.raises(StartError, match=r"MODELBOX_SERVER_PORT: .*expected int, got str"):
        load_config(None, {}, {"MODELBOX_SERVER_PORT": "many"})


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="No such file"):
        load_config(tmp_path / "none.toml", {}, {})


def test_the_flow_section_is_the_limits_of_flows(tmp_path: Path) -> None:
    text = "[flow]\nmax_request_bytes = 1\nmax_header_bytes = 2\nrequest_seconds = 3.5\n"
    limits = load_config(write(tmp_path, text), {}, {}).flow.limits
    assert (limits.max_request_bytes, limits.max_header_bytes, limits.request_seconds) == (1, 2, 3.5)
    assert "request_seconds" in refusal(tmp_path, "[flow]\nrequest_seconds = 0\n")
