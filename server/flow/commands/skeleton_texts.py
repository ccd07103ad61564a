"""The files of skeletons. Capital words in the templates stand for what is filled in."""

import re
from collections.abc import Mapping, Sequence

_KEYS = {
    "normal": "stream = false",
    "stream": "stream = true",
    "condition": "condition = true",
    "expand": "stream = false\nexpand = true",
    "collapse": "stream = false\ncollapse = true",
}

_UNIT = '''"""The flow unit NAME."""

import _flowunit as modelbox

INPUTS = (IN_PORTS)
OUTPUTS = (OUT_PORTS)


class CLASS(modelbox.FlowUnit):
    def open(self, config):
        """Called once, before any data. `config` has the node's attributes and the description's [config]."""
        return modelbox.Status.StatusCode.STATUS_SUCCESS

METHODS

    def close(self):
        """Called once, when the flow ends."""
        return modelbox.Status.StatusCode.STATUS_SUCCESS
'''

_METHODS = {
    "normal": '''    def process(self, data_context):
        """Gets up to batch_size buffers, of any streams; makes exactly as many on every output."""
        for buffers in zip(*(data_context.input(port) for port in INPUTS)):
            text = " ".join(str(buffer) for buffer in buffers)
            for port in OUTPUTS:
                data_context.output(port).push_back(text)
        return modelbox.Status.StatusCode.STATUS_SUCCESS''',
    "stream": '''    def data_pre(self, data_context):
        """Called once for each stream. What the stream needs is kept in its context, not in self."""
        data_context.set_private_int("count", 0)
        return modelbox.Status.StatusCode.STATUS_SUCCESS

    def process(self, data_context):
        """Gets the buffers of one stream in order; makes as many as it likes."""
        count = data_context.get_private_int("count")
        for buffers in zip(*(data_context.input(port) for port in INPUTS)):
            count += 1
            text = " ".join(str(buffer) for buffer in buffers)
            for port in OUTPUTS:
                data_context.output(port).push_back(f"{count}: {text}")
        data_context.set_private_int("count", count)
        return modelbox.Status.StatusCode.STATUS_SUCCESS

    def data_post(self, data_context):
        """Called once, at the stream's end."""
        return modelbox.Status.StatusCode.STATUS_SUCCESS''',
    "condition": '''    def process(self, data_context):
        """Gets one buffer on each input; sends one buffer to exactly one output."""
        buffer = data_context.input(INPUTS[0])[0]
        port = OUTPUTS[0] if str(buffer) == "yes" else OUTPUTS[1]
        data_context.output(port).push_back(buffer)
        return modelbox.Status.StatusCode.STATUS_SUCCESS''',
    "expand": '''    def process(self, data_context):
        """Gets one buffer on each input; what it makes of them is a stream of its own."""
        text = " ".join(str(data_context.input(port)[0]) for port in INPUTS)
        for word in text.split():
            for port in OUTPUTS:
                data_context.output(port).push_back(word)
        return modelbox.Status.StatusCode.STATUS_SUCCESS''',
    "collapse": '''    def process(self, data_context):
        """Gets all buffers of the stream that an expand unit made of one; makes one of them again."""
        text = " ".join(str(buffer) for port in INPUTS for buffer in data_context.input(port))
        for port in OUTPUTS:
            data_context.output(port).push_back(text)
        return modelbox.Status.StatusCode.STATUS_SUCCESS''',
}

_UNIT_TEST = '''"""Tests of the flow unit NAME."""

import subprocess
import sys
from pathlib import Path

import modelbox

PROGRAM = Path(sys.executable).with_name("modelbox-server")
GRAPH = """
[driver]
dir = ["UNIT_FOLDER", "TEST_FOLDER"]

[graph]
format = "graphviz"
graphconf = \'\'\'digraph test {
DOT
}\'\'\'
"""
WORDS

def graph_text(folder):
    """A graph with the unit in its middle. `folder` may hold more units."""WRITE_WORDS
    here = str(Path(__file__).parent.absolute())
    return GRAPH.replace("UNIT_FOLDER", here).replace("TEST_FOLDER", str(folder))


def results(graph, texts):
    """What comes out, by output node, when every input node gets `texts`."""
    flow = modelbox.Flow()
    for step in (flow.init("test", graph), flow.start_run()):
        assert step, step.wrap_errormsgs()
    session = flow.create_stream_io()
    for text in texts:
        for node in [SENT_TO]:
            session.send(node, text)
    session.close_input()
    found = {}
    for node in [RECEIVED_FROM]:
        found[node] = []
        while (buffer := session.recv(node)) is not None:
            found[node].append(str(buffer))
    flow.stop()
    return found


def test_a_graph_with_it_is_right(tmp_path):
    graph = tmp_path / "graph.toml"
    graph.write_text(graph_text(tmp_path))
    done = subprocess.run([PROGRAM, "flow", "check", graph], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_it_makes(tmp_path):
    found = results(graph_text(tmp_path), TEXTS)
    assert found == {node: EXPECTED for node in [RECEIVED_FROM]}
'''

_WORDS = """WORDS_DESCRIPTION = \"\"\"
[base]
name = "test_words"
device = "cpu"
version = "1.0.0"
description = "Splits text into words: a collapse unit needs an expand unit before it."
type = "python"
entry = "test_words@Words"
stream = false
expand = true

[input.input1]
name = "in_1"

[output.output1]
name = "out_1"
\"\"\"
WORDS_CLASS = \"\"\"
import _flowunit as modelbox


class Words(modelbox.FlowUnit):
    def process(self, data_context):
        for word in str(data_context.input("in_1")[0]).split():
            data_context.output("out_1").push_back(word)
        return modelbox.Status.StatusCode.STATUS_SUCCESS
\"\"\"
"""
_WRITE_WORDS = """
    (folder / "test_words.toml").write_text(WORDS_DESCRIPTION)
    (folder / "test_words.py").write_text(WORDS_CLASS)"""


def description(name: str, kind: str, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    head = (
        f'[base]\nname = "{name}"\ndevice = "cpu"\nversion = "1.0.0"\n'
        f'description = "What {name} does."\ntype = "python"\nentry = "{name}@{class_name(name)}"\n{_KEYS[kind]}\n'
    )
    ports = [("input", number, port) for number, port in enumerate(inputs, 1)]
    ports += [("output", number, port) for number, port in enumerate(outputs, 1)]
    return head + "".join(f'\n[{side}.{side}{number}]\nname = "{port}"\n' for side, number, port in ports)


def class_name(unit: str) -> str:
    return "".join(part.capitalize() for part in unit.split("_")) or "Unit"


def unit_class(name: str, kind: str, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    words = {
        "METHODS": _METHODS[kind],
        "CLASS": class_name(name),
        "IN_PORTS": _tuple(inputs),
        "OUT_PORTS": _tuple(outputs),
        "NAME": name,
    }
    return _filled(_UNIT, words)


def unit_test(name: str, kind: str, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    is_collapse = kind == "collapse"
    sent, received, dot = _test_graph(name, kind, inputs, outputs)
    given, expected = _example(kind, len(inputs))
    words = {
        "WRITE_WORDS": _WRITE_WORDS if is_collapse else "",
        "WORDS": _WORDS if is_collapse else "",
        "DOT": dot,
        "SENT_TO": ", ".join(f'"{node}"' for node in sent),
        "RECEIVED_FROM": ", ".join(f'"{node}"' for node in received),
        "TEXTS": _list(given),
        "EXPECTED": _list(expected),
        "NAME": name,
    }
    return _filled(_UNIT_TEST, words)


def _test_graph(
    name: str, kind: str, inputs: Sequence[str], outputs: Sequence[str]
) -> tuple[list[str], list[str], str]:
    """Names of its input and output nodes, and its DOT."""
    lines = [f"  unit[flowunit={name}]"]
    if kind == "collapse":
        sent = ["text"]
        lines += ["  text[type=input]", "  words[flowunit=test_words]", "  text -> words:in_1"]
        lines += [f"  words:out_1 -> unit:{port}" for port in inputs]
    else:
        sent = [f"to_{port}" for port in inputs]
        for port in inputs:
            lines += [f"  to_{port}[type=input]", f"  to_{port} -> unit:{port}"]
    if kind == "condition":
        # the branches come together again, in the order of what went in
        received = ["result"]
        lines += ["  result[type=output]", *(f"  unit:{port} -> result" for port in outputs)]
    else:
        received = [f"from_{port}" for port in outputs]
        for port in outputs:
            lines += [f"  from_{port}[type=output]", f"  unit:{port} -> from_{port}"]
    return sent, received, "\n".join(lines)


def _example(kind: str, inputs: int) -> tuple[list[str], list[str]]:
    """Texts for the inputs, and what the unit makes of them."""
    match kind:
        case "condition":
            return ["yes", "no", "yes"], ["yes", "no", "yes"]
        case "expand":
            # one text: what is made of several has no order among them
            return ["two words"], ["two", "words"] * inputs
        case "collapse":
            return ["two words", "more"], [" ".join(["two words"] * inputs), " ".join(["more"] * inputs)]
    joined = [" ".join([text] * inputs) for text in ("a", "b", "c")]
    if kind == "stream":
        return ["a", "b", "c"], [f"{number}: {text}" for number, text in enumerate(joined, 1)]
    return ["a", "b", "c"], joined


_PROJECT_README = """# NAME

    modelbox-server flow run graph/NAME.toml      # here: driver.dir is relative to the working directory
    curl -d hello http://127.0.0.1:8080/
    pytest

`graph/` holds the flow, `flowunit/` its units, each with a description, a class and a test. Another unit:
`modelbox-server flow new-unit NAME_OF_IT --dir flowunit`.
"""

_PROJECT_GRAPH = """[driver]
dir = ["flowunit"]

[flow]
name = "NAME"

[graph]
format = "graphviz"
graphconf = '''digraph NAME_OF_GRAPH {
  receive[flowunit=httpserver_sync_receive, endpoint="http://127.0.0.1:8080"]
  UNIT[flowunit=UNIT]
  reply[flowunit=httpserver_sync_reply]
  receive:out_request_info -> UNIT:in_1
  UNIT:out_1 -> reply:in_reply_info
}'''
"""

_PROJECT_TEST = '''"""The flow as a whole, as it is run from this folder."""

import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
PROGRAM = Path(sys.executable).with_name("modelbox-server")
GRAPH = HERE / "graph" / "NAME.toml"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answer_to(url, body):
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, body, timeout=10) as answer:
                return answer.read()
        except ConnectionError:
            time.sleep(0.1)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionError):
                raise
            time.sleep(0.1)
    raise AssertionError("the flow does not serve")


def test_the_graph_is_right():
    done = subprocess.run([PROGRAM, "flow", "check", GRAPH], cwd=HERE, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_it_answers(tmp_path):
    port = free_port()
    graph = tmp_path / "graph.toml"
    graph.write_text(GRAPH.read_text().replace(":8080", f":{port}"))
    with subprocess.Popen([PROGRAM, "flow", "run", graph], cwd=HERE) as flow:
        try:
            assert answer_to(f"http://127.0.0.1:{port}/", b"hello") == b"hello"
        finally:
            flow.terminate()
    assert flow.returncode == 0
'''


def project_readme(name: str) -> str:
    return _filled(_PROJECT_README, {"NAME": name})


def project_graph(name: str, unit: str) -> str:
    graph = name.replace("-", "_")
    graph = f"_{graph}" if graph[0].isdigit() else graph
    return _filled(_PROJECT_GRAPH, {"NAME_OF_GRAPH": graph, "NAME": name, "UNIT": unit})


def project_test(name: str) -> str:
    return _filled(_PROJECT_TEST, {"NAME": name})


def _filled(template: str, words: Mapping[str, str]) -> str:
    """The template with each of `words` replaced, and what replaces them left alone."""
    pattern = re.compile("|".join(rf"\b{word}\b" for word in words))
    return pattern.sub(lambda found: words[found.group()], template)


def _tuple(names: Sequence[str]) -> str:
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"{quoted}," if len(names) == 1 else quoted


def _list(texts: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{text}"' for text in texts) + "]"
