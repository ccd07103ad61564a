"""docs/flows.md, docs/units.md and docs/flow-units.md list what the code has, and their examples run."""

import inspect
import re
from pathlib import Path

import pytest

import modelbox
from server.flow import sdk
from server.flow.commands.units import markdown
from server.flow.graph.build import _INHERITED
from server.flow.pyunits.modules import _CLASSES, _LOG_FUNCTIONS
from server.flow.units import BUILTIN
from tests.flow.commands.program import running
from tests.installation import free_port

ROOT = Path(__file__).parent.parent
FLOWS = (ROOT / "docs" / "flows.md").read_text()
UNITS = (ROOT / "docs" / "units.md").read_text()
SOURCES = {path: path.read_text() for path in (ROOT / "server" / "flow").rglob("*.py")}

ENGINES_OWN = {"quick", "below", "overlaid", "note", "begin", "input_streams", "output_meta_of"}
"""Members of the API's classes that are for the engine."""


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.S | re.M)
    assert found, f"there is no heading '{heading}'"
    return found[1]


def first_cells(text: str) -> list[str]:
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [row.split("|")[1] for row in rows[2:]]


def spans(text: str, begin: str | None = None) -> set[str]:
    """What is in backquotes; with `begin`, only how it begins."""
    return set(re.findall(rf"`({begin})" if begin else "`([^`]+)`", text))


def code_of(*folders: str) -> str:
    wanted = [text for path, text in SOURCES.items() if path.parent.name in folders]
    assert wanted
    return "\n".join(wanted)


def test_every_key_of_graph_files_is_listed() -> None:
    listed = section(FLOWS, "Keys")
    documented = spans("".join(first_cells(listed)))
    code = code_of("flow", "graph", "run", "profile") + SOURCES[ROOT / "server" / "flow" / "sdk" / "by_name.py"]
    read = set(re.findall(r'"((?:graph|driver|flow|log|profile)\.[a-z_-]+)"', code))
    assert read == {key for key in documented if not key.startswith("args.")}
    without_effect = spans(listed.split("\n\n")[-1], r"[a-z]+\.[a-z_-]+")
    assert not without_effect & documented


def test_every_attribute_of_nodes_is_listed() -> None:
    documented = spans("".join(first_cells(section(FLOWS, "Node attributes"))), r"\w+")
    code = code_of("graph", "run")
    read = set(re.findall(r'(?:options\.get\(|get_int\(|get_bool\(|_size\(plan, )f?"([a-z_]+)', code))
    assert documented >= set(_INHERITED)
    assert {name.removesuffix("PORT") for name in documented} >= read
    for name in documented:
        assert f'"{name.removesuffix("PORT")}' in code, name


def test_every_message_is_one_of_the_code() -> None:
    code = "\n".join(SOURCES.values())
    cells = first_cells(section(FLOWS, "What is checked, and what the errors mean"))
    for message in spans("".join(cells)):
        for part in re.split(r" ?\.\.\. ?|file@Class", re.sub("^(Fault,|src|dst) ", "", message)):
            assert part.strip() in code, message


def test_every_key_of_descriptions_is_listed() -> None:
    documented = spans("".join(first_cells(section(UNITS, "Keys of `[base]`"))), r"\w+")
    code = (ROOT / "server" / "flow" / "unit_file.py").read_text()
    read = re.findall(r'"base\.(\w+)"|_bool\("(\w+)"|_batch_size\("(\w+)"', code)
    assert documented == {name for names in read for name in names if name}


@pytest.mark.parametrize("name", [*_CLASSES, "Log", "Logger", *sdk.__all__])
def test_every_method_of_the_api_is_listed(name: str) -> None:
    members = {member for member in dir(getattr(modelbox, name)) if not member.startswith("_")} - ENGINES_OWN
    text = section(UNITS, name)
    documented = spans("".join(first_cells(text)), r"\w+")
    # the types are in the text below the table
    types = {member for member in members if member.isupper() or member == "ModelBoxDataType"}
    assert documented == members - types
    assert all(f"`{each}`" in text or f".{each}`" in text for each in types)


def test_every_function_and_class_of_the_module_is_listed() -> None:
    assert spans("".join(first_cells(section(UNITS, "Logging"))), r"\w+") == set(_LOG_FUNCTIONS)
    classes = {name for name, value in vars(modelbox).items() if inspect.isclass(value)}
    assert classes == {*_CLASSES, "Log", "Logger"}


def test_the_units_of_the_engine_are_listed() -> None:
    """When this fails: modelbox-server flow units -o markdown > docs/flow-units.md"""
    assert (ROOT / "docs" / "flow-units.md").read_text() == "\n".join(markdown(BUILTIN)) + "\n"


def test_links_lead_somewhere() -> None:
    for name in ("flows.md", "units.md"):
        text = (ROOT / "docs" / name).read_text()
        for target in re.findall(r"\]\(([^)#]*)(?:#[\w-]+)?\)", text):
            assert (ROOT / "docs" / target).exists(), target


def test_the_first_examples_of_both_pages_make_a_flow(tmp_path: Path) -> None:
    graph, port = re.findall(r"```toml\n(.*?)```", FLOWS, re.S)[0], free_port()
    folder = tmp_path / "flowunit" / "upper"
    folder.mkdir(parents=True)
    (folder / "upper.toml").write_text(re.findall(r"```toml\n(.*?)```", UNITS, re.S)[0])
    (folder / "upper.py").write_text(re.findall(r"```python\n(.*?)```", UNITS, re.S)[0])
    (tmp_path / "graph.toml").write_text(graph.replace("9000", str(port)))
    with running(Path("graph.toml"), port, cwd=tmp_path) as under_way:
        assert under_way.http.post("/up/more", content="hello").text == "HELLO!"
        assert under_way.http.post("/upper", content="hello").status_code == 404
