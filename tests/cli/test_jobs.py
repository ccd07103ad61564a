"""`job list|show|create|delete|history|validate|top`, against a real server."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.cli.program import Shell
from tests.client.pretend import Pretender, answer
from tests.installation import Installation, bad_flow, echo_flow, free_port


def toml_of(flow: object) -> str:
    graph = flow["graph"]["graphconf"]  # type: ignore[index]
    return (
        f"[graph]\nformat = 'graphviz'\ngraphconf = '''{graph if isinstance(graph, str) else ''.join(graph)}'''\n"
    )


def body_of(job_id: str, flow: object, **more: object) -> str:
    return json.dumps({"job_id": job_id, "job_graph": flow, **more})


def test_the_life_of_a_job(server: Installation, shell: Shell) -> None:
    (shell.home / "life.toml").write_text(toml_of(echo_flow(server.flow_port, "/life")))
    done = shell.run("job", "create", "life.toml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "life RUNNING\n", "")
    listed = shell.run("job", "list", "--text", "life")
    head, row = listed.stdout.splitlines()
    assert head.split() == ["JOB", "STATUS", "CHANGED", "ATTEMPT", "ENDPOINTS", "ERROR"]
    assert re.fullmatch(rf"life  RUNNING  \d+s +1 +http://127.0.0.1:{server.flow_port}/life", row)
    shown = shell.run("job", "show", "life").stdout
    assert re.search(r"^job_status +RUNNING$", shown, re.M)
    assert re.search(rf"^endpoints +http://127.0.0.1:{server.flow_port}/life$", shown, re.M)
    assert re.search(r"^NODE +UNIT +STATE +IN +OUT +QUEUED +ERRORS +PROGRESS +REASON$", shown, re.M)
    assert re.search(r"^httpserver_sync_reply +httpserver_sync_reply +(idle|running) +0 +0 +0 +0", shown, re.M)
    wide = shell.run("job", "show", "life", "-o", "wide").stdout
    assert re.search(
        r"^options_in_force .*policy on-failure.*from_server restart; limits; stall_after$", wide, re.M
    )
    done = shell.run("job", "delete", "life")
    assert (done.returncode, done.stdout) == (0, "life deleted\n")
    told = [line.partition("Z  ")[2] for line in shell.run("job", "history", "life").stdout.strip().splitlines()]
    assert told[0] == "created over REST"
    assert told[-1] == "deleted"


def test_orders_and_how_long_their_engine_gets(server: Installation, shell: Shell) -> None:
    shell.run("job", "create", "-", text=body_of("ordered", echo_flow(server.flow_port, "/ordered")))
    by_force = ("stop", "--force", "--grace", "9")
    shown = [
        shell.run("job", *order, "ordered").stdout
        for order in (("stop",), ("start",), ("restart", "--grace", "3"), by_force, ("start",))
    ]
    stopped = "PENDING, stopped"
    assert shown == [f"ordered {word}\n" for word in (stopped, "RUNNING", "RUNNING", stopped, "RUNNING")]
    shell.run("job", "delete", "ordered", "--force")
    entries = json.loads(shell.run("job", "history", "ordered", "-o", "json").stdout)
    graces = [(entry["type"], entry["what"]["grace"]) for entry in entries if "grace" in entry["what"]]
    assert graces == [
        ("stop-requested", None),
        ("restart-requested", 3.0),
        ("stop-requested", 0.0),
        ("delete-requested", 0.0),
    ]


def test_a_job_is_deleted_only_as_it_was_seen(shell: Shell) -> None:
    shell.run("job", "create", "-", "--no-wait", text=body_of("seen", bad_flow()))
    tag = json.loads(shell.run("job", "show", "seen", "-o", "json").stdout)["etag"]
    assert f"{tag}\n" in shell.run("job", "show", "seen").stdout
    stale = shell.run("job", "delete", "seen", "--if-match", '"7-7"')
    assert (stale.returncode, stale.stdout) == (3, "")
    assert "somebody has changed it" in stale.stderr
    assert shell.run("job", "delete", "seen", "other", "--if-match", tag).returncode == 2
    assert shell.run("job", "delete", "seen", "--if-match", tag).stdout == "seen deleted\n"


def test_forms_for_programs(shell: Shell) -> None:
    shell.run("job", "create", "-", "--no-wait", text=body_of("forms", bad_flow()))
    [row] = json.loads(shell.run("job", "list", "--text", "forms", "-o", "json").stdout)
    assert row["job_id"] == "forms"
    assert yaml.safe_load(shell.run("job", "list", "--text", "forms", "-o", "yaml").stdout)[0]["origin"] == "rest"
    assert json.loads(shell.run("job", "show", "forms", "-o", "json").stdout)["job_id"] == "forms"
    history = json.loads(shell.run("job", "history", "forms", "-o", "json", "--newest").stdout)
    assert history[-1]["type"] == "job-created"
    wide = shell.run("job", "list", "--text", "forms", "-o", "wide").stdout
    assert row["graph_digest"][:12] in wide


def test_a_graph_on_stdin_with_an_id_and_options(server: Installation, shell: Shell) -> None:
    flow = toml_of(echo_flow(server.flow_port, "/stdin"))
    done = shell.run("job", "create", "-", "--id", "piped", "--options", '{"stall_after": 9}', text=flow)
    assert done.stdout == "piped RUNNING\n"
    assert json.loads(shell.run("job", "show", "piped", "-o", "json").stdout)["options"] == {"stall_after": 9.0}


def test_labels(shell: Shell) -> None:
    options = json.dumps({"labels": {"team": "sound", "site": "n"}})
    created = ("job", "create", "-", "--no-wait", "--options", options, "-l", "team=vision", "-l", "line=7")
    shell.run(*created, text=body_of("labelled", bad_flow()))
    listed = shell.run("job", "list", "-l", "team=vision", "--label", "!absent", "-o", "wide").stdout
    assert " line=7,site=n,team=vision " in listed
    assert "labelled" not in shell.run("job", "list", "-l", "team!=vision").stdout
    wrong = shell.run("job", "create", "-", "-l", "team", text="")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "'team' is no NAME=VALUE" in wrong.stderr
    assert shell.run("job", "delete", "labelled").returncode == 0


def test_filters_and_order(server: Installation, shell: Shell) -> None:
    for name in ("order-a", "order-b"):
        shell.run("job", "create", "-", text=body_of(name, bad_flow()))
    listed = shell.run("job", "list", "--text", "order-", "--sort", "-job_id", "--status", "failed").stdout
    assert [line.split()[0] for line in listed.splitlines()[1:]] == ["order-b", "order-a"]
    assert "order-" not in shell.run("job", "list", "--text", "order-", "--status", "RUNNING").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["job", "show", "nobody"], 4, "no such job [MODELBOX_002]"),
        (["job", "delete", "nobody"], 4, "nobody: request invalid, no such job [MODELBOX_002]"),
        (["job", "history", "nobody"], 4, "no such job"),
        (["job", "watch", "nobody"], 4, "no such job"),
        (["job", "watch", "--after", "99999999"], 3, "behind the end of the log"),
        (["job", "watch", "--type", "No Type", "--after", "0"], 3, "(at type) [MODELBOX_006]"),
        (["job", "list", "--url", "nowhere"], 2, "is no URL of a server"),
        (["job", "list", "--profile", "nobody"], 2, "there is no profile 'nobody'"),
        (["job", "create", "nothing.toml"], 2, "nothing.toml: cannot be read"),
        (["job", "create", "-"], 2, "no flow"),
        (["job", "list", "-o", "xml"], 2, "'xml' is not one of"),
        (["job", "show"], 2, "Missing argument 'JOB'"),
    ],
)
def test_what_is_wrong_is_told_with_its_exit_code(
    shell: Shell, arguments: list[str], code: int, message: str
) -> None:
    done = shell.run(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_server_refuses(shell: Shell) -> None:
    body = body_of("refused", bad_flow())
    refused = shell.run("job", "create", "-", text=body)
    assert refused.returncode == 3
    assert "no_such_unit" in refused.stderr
    again = shell.run("job", "create", "-", text=body)
    assert "job already exist [MODELBOX_005]" in again.stderr
    limits = body_of("limited", bad_flow(), options={"limits": {"memory": 1}})
    assert "(at options.limits)" in shell.run("job", "create", "-", text=limits).stderr


def test_a_job_that_cannot_be_deleted_keeps_no_other(shell: Shell) -> None:
    shell.run("job", "create", "-", "--no-wait", text=body_of("other", bad_flow()))
    done = shell.run("job", "delete", "nobody", "other")
    assert (done.returncode, done.stdout) == (4, "other deleted\n")


def test_a_server_that_is_away(shell: Shell) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    done = shell.run("job", "list", "--url", away)
    assert done.returncode == 5
    assert f"{away} cannot be reached" in done.stderr
    shell.environ["MODELBOX_URL"] = away
    assert shell.run("job", "watch", "--patience", "0.1").returncode == 5


@pytest.mark.parametrize(("status", "code"), [(503, 5), (401, 6), (403, 6), (404, 4), (429, 3), (418, 5)])
def test_answers_of_other_kinds(shell: Shell, status: int, code: int) -> None:
    """As of a server whose database is away, one that wants a token, and what is no server of ours."""
    error = "MODELBOX_002" if status == 404 else "MODELBOX_009"
    body = json.dumps({"error_code": error, "error_msg": "no"}).encode() if status != 418 else b"<html>"
    given = answer(status, body, {"Retry-After": "0"})
    with Pretender([given] * 5) as pretender:
        done = shell.run("job", "delete", "aa", "--url", pretender.url)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("modelbox-server: ")


def test_the_profile_says_which_server(server: Installation, shell: Shell) -> None:
    del shell.environ["MODELBOX_URL"]
    path = shell.home / "modelbox-server" / "profiles.toml"
    path.parent.mkdir()
    path.write_text(f"[here]\nurl = 'http://127.0.0.1:{server.port}'\n")
    assert shell.run("job", "list", "--profile", "here").returncode == 0
    shell.environ["MODELBOX_PROFILE"] = "here"
    assert shell.run("job", "list").returncode == 0


def test_texts_of_jobs_cannot_command_the_terminal(shell: Shell) -> None:
    graph = 'digraph a { x[flowunit="\x1b[2J\x9b31m"]; y[flowunit=other]; x:out -> y:in }'
    evil = {"graph": {"format": "graphviz", "graphconf": graph}}
    assert shell.run("job", "create", "-", text=body_of("evil", evil)).returncode == 3
    for arguments in (["list", "--text", "evil"], ["show", "evil"], ["history", "evil"]):
        printed = shell.run("job", *arguments).stdout
        assert "x1b[2J" in printed
        assert "\x1b" not in printed
        assert "\x9b" not in printed


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "good.toml").write_text(toml_of(echo_flow(9000)))
    (folder / "notes").write_text("no flow")
    return folder


def test_validate_asks_the_server_and_changes_nothing(server: Installation, shell: Shell, flows: Path) -> None:
    before = server.list_all()
    assert shell.run("job", "validate", "flows").stdout == "flows/good.toml: ok, 2 nodes, 1 edges\n"
    broken = (
        '[graph]\nformat = "graphviz"\ngraphconf = """digraph a {\n  x[flowunit=none_such]\n  x:o -> x:i\n}"""\n'
    )
    (flows / "broken.toml").write_text(broken)
    (flows / "limited").write_text(body_of("limited", echo_flow(9000), options={"limits": {"memory": 1}}))
    done = shell.run("job", "validate", "flows")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert any(line.startswith("flows/broken.toml:4: ") and "none_such" in line for line in lines)
    assert any(line.startswith("flows/limited: ") and "memory must be at least" in line for line in lines)
    assert "flows/good.toml: ok, 2 nodes, 1 edges" in lines
    of_program = json.loads(shell.run("job", "validate", "flows", "-o", "json").stdout)
    assert [(each["job_id"], each["valid"]) for each in of_program] == [
        ("broken", False),
        ("good", True),
        ("limited", False),
    ]
    assert server.list_all() == before
    assert shell.run("job", "validate", "nothing.toml").returncode == 2


def test_validate_without_a_server(shell: Shell, flows: Path) -> None:
    shell.environ["MODELBOX_URL"] = f"http://127.0.0.1:{free_port()}"
    assert shell.run("job", "validate", "--local", "flows").stdout == "flows/good.toml: ok, 2 nodes, 1 edges\n"
    (flows / "bad").write_text(body_of("bad", bad_flow()))
    done = shell.run("job", "validate", "--local", "flows", "-o", "json")
    assert done.returncode == 1
    assert {report["file"]: report["ok"] for report in json.loads(done.stdout)} == {
        "flows/bad": False,
        "flows/good.toml": True,
    }


def test_the_graph_of_a_job(server: Installation, shell: Shell) -> None:
    source = toml_of(echo_flow(server.flow_port, "/graph"))
    shell.run("job", "create", "-", "--id", "drawn", text=source)
    assert shell.run("job", "graph", "drawn").stdout == source
    assert shell.run("job", "graph", "drawn", "-o", "svg").stdout.startswith("<svg")
    assert json.loads(shell.run("job", "graph", "drawn", "-o", "plan").stdout)
    assert shell.run("job", "graph", "nobody").returncode == 4


def test_top_in_a_pipe_is_plain_blocks(server: Installation, shell: Shell) -> None:
    shell.run("job", "create", "-", text=body_of("topmost", echo_flow(server.flow_port, "/top")))
    done = shell.run("job", "top", "-n", 2, "-d", 1)
    blocks = done.stdout.strip().split("\n\n")
    assert len(blocks) == 2
    for block in blocks:
        when, counts, head, first, *_ = block.splitlines()
        assert re.fullmatch(r"\S+Z  position \d+", when)
        assert re.search(r"\d+ RUNNING", counts)
        assert head.split()[:6] == ["JOB", "STATUS", "CHANGED", "ATTEMPT", "CPU", "MEMORY"]
        assert re.match(r"topmost +RUNNING +\d+s +1 +(\d+% +)?[0-9.]+[KM] +http", first)
    assert "%" in blocks[1]
