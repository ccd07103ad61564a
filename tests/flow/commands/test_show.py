"""`flow show` and `flow units`."""

import json
import subprocess
from pathlib import Path

from server.flow.graph.dot_graph import read_dot
from tests.flow.commands.graphs import ECHO_DOT, WRONG_DOT, json_graph, toml_graph
from tests.flow.commands.program import PROGRAM, environ, flow


def test_show_names_units_ports_sizes_and_match_points(tmp_path: Path) -> None:
    done = flow("show", toml_graph(tmp_path, ECHO_DOT.replace("reply]", "reply, queue_size=7]"), 8080))
    assert done.returncode == 0
    assert done.stdout == (
        "graph echo: 2 nodes, 1 edges\n"
        "\n"
        "rx: httpserver_sync_receive (normal), device cpu:0, batch 8, external queue 1024\n"
        "  out out_request_info  to tx:in_reply_info\n"
        "\n"
        "tx: httpserver_sync_reply (stream), device cpu:0, batch 1\n"
        "  in  in_reply_info  from rx:out_request_info  (queue 7)\n"
    )


def test_show_names_the_match_point_where_there_is_something_to_match(tmp_path: Path) -> None:
    dot = """digraph d {
      a[type=input]; one[flowunit=buff_meta_mapping, src_meta=a, dest_meta=b]; b[type=output]; c[type=output]
      two[flowunit=pair]; a -> two:in_1; a -> one:in_data; one:out_data -> two:in_2; two:out_1 -> b }"""
    base = 'name = "pair"\ndevice = "cpu"\nversion = "1.0.0"\ndescription = "x"\ntype = "python"\nentry = "p@P"'
    ports = (
        "".join(f'\n[input.input{n}]\nname = "in_{n}"' for n in (1, 2)) + '\n[output.output1]\nname = "out_1"\n'
    )
    (tmp_path / "pair.toml").write_text(f"[base]\n{base}{ports}")
    graph = toml_graph(tmp_path, dot.replace("; c[type=output]", ""), 0, f'[driver]\ndir = "{tmp_path}"\n')
    shown = flow("show", graph)
    assert shown.stdout.count("inputs are matched at a\n") == 1, shown.stderr


def test_show_tells_what_is_wrong_and_what_is_doubtful(tmp_path: Path) -> None:
    done = flow("show", toml_graph(tmp_path, WRONG_DOT, 0, '[driver]\ndir = "missing"\n'), cwd=tmp_path)
    assert done.returncode == 2
    warning, *problems = done.stderr.splitlines()
    here = tmp_path / "graph.toml"
    assert warning == f"{here}: warning: driver.dir: there is no 'missing' below {tmp_path}, where this runs"
    assert len(problems) == 2


def test_show_dot_is_dot(tmp_path: Path) -> None:
    done = flow("show", json_graph(tmp_path, ECHO_DOT, 8080), "--dot")
    assert done.returncode == 0
    graph = read_dot(done.stdout)
    assert graph.name == "echo"
    assert [(edge.source, edge.source_port, edge.target, edge.target_port) for edge in graph.edges] == [
        ("rx", "o0", "tx", "i0")
    ]
    assert "httpserver_sync_reply" in graph.nodes["tx"].attributes["label"]


def test_names_that_are_no_plain_words_are_quoted(tmp_path: Path) -> None:
    dot = ECHO_DOT.replace("rx", r'"a \\"b\\" {c|d} <e>"').replace("echo", '"the graph"')
    graph = json_graph(tmp_path, dot.replace("\\\\", "\\"), 8080)
    done = flow("show", graph, "--dot")
    assert done.returncode == 0
    drawn = read_dot(done.stdout)
    assert drawn.name == "the graph"
    assert sorted(drawn.nodes) == ['a "b" {c|d} <e>', "tx"]


def test_a_reader_that_goes_away_is_no_failure(tmp_path: Path) -> None:
    command = f"{PROGRAM} flow units -o json | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, env=environ())
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_show_refuses_what_cannot_be_built(tmp_path: Path) -> None:
    graph = toml_graph(tmp_path, WRONG_DOT)
    done = flow("show", graph)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{graph}:7: Invalid argument")
    assert flow("show", tmp_path).returncode == 2


def describe(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / f"{name}.toml").write_text(text)


GOOD = """
[base]
name = "shout"
device = "cpu"
version = "1.2.3"
description = "makes it loud"
type = "python"
entry = "shout@Shout"
stream = false
[config]
marks = "3"
[input.input1]
name = "in_1"
[output.output1]
name = "out_1"
"""


def test_units_lists_ports_options_and_what_is_broken(tmp_path: Path) -> None:
    describe(tmp_path, "shout", GOOD)
    describe(tmp_path, "bad", GOOD.replace("1.2.3", "1.2"))
    done = flow("units", "--dir", tmp_path)
    assert done.returncode == 1
    assert "shout 1.2.3 (cpu, normal)\n  makes it loud\n" in done.stdout
    assert "  in  in_1\n  out out_1\n  option marks (default 3)\n" in done.stdout
    assert "httpserver_sync_reply" in done.stdout
    assert done.stderr == f"broken: {tmp_path}/bad/bad.toml, key 'base.version': '1.2' is not of the form 1.2.3\n"


def test_units_names_a_unit_that_another_hides(tmp_path: Path) -> None:
    describe(tmp_path, "shout", GOOD)
    describe(tmp_path, "shout_too", GOOD)
    done = flow("units", "--dir", tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith(f"warning: the unit 'shout' of {tmp_path}/shout_too/shout_too.toml is hidden")


def test_units_as_json(tmp_path: Path) -> None:
    describe(tmp_path, "shout", GOOD)
    done = flow("units", "--dir", tmp_path, "-o", "json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    shout = next(unit for unit in found["flowunits"] if unit["name"] == "shout")
    assert shout["inputports"] == [{"name": "in_1", "device_type": "cpu", "port_type": ""}]
    assert shout["options"][0]["name"] == "marks"
    assert found["devices"][0]["name"] == "cpu"


def test_units_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    done = flow("units", "--dir", tmp_path / "nowhere")
    assert done.returncode == 2
    assert "there is no such folder" in done.stderr


def test_show_draws_a_picture(tmp_path: Path) -> None:
    done = flow("show", json_graph(tmp_path, ECHO_DOT, 8080), "-o", "svg")
    assert done.returncode == 0
    assert done.stdout.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert done.stdout.endswith("</svg>\n")
    assert "httpserver_sync_receive" in done.stdout
