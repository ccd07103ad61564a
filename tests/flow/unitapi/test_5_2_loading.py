"""Spec 5.2: how a unit's class is found and made, and that units do not get in each other's way."""

import importlib
import multiprocessing
import pickle
import sys
import threading
from pathlib import Path

import pytest

from server.flow.status import FlowError, StatusCode
from tests.flow.unitapi.folders import make, write_unit

PLAIN = """
    import _flowunit as modelbox
    class Unit(modelbox.FlowUnit):
        pass
"""
WITH_HELPER = """
    import _flowunit as modelbox
    import helper
    from helper import WORD
    class Unit(modelbox.FlowUnit):
        def word(self):
            from helper import WORD as late
            return (helper.WORD, WORD, late)
        helper = helper
"""


def refusal(folder: Path, entry: str) -> FlowError:
    with pytest.raises(FlowError) as caught:
        make(folder, entry)
    assert caught.value.code is StatusCode.INVALID
    return caught.value


@pytest.mark.parametrize("entry", ["no_at", "a@B@C", "@Unit", "plain@"])
def test_5_2_entry_has_exactly_one_at(tmp_path: Path, entry: str) -> None:
    error = refusal(write_unit(tmp_path, "plain", PLAIN), entry)
    assert str(error) == f"Invalid argument, invalid entry string: {entry}"


def test_5_2_one_instance_a_node(tmp_path: Path) -> None:
    """Of several device ids a node uses the first that is there, so it is one instance whatever `device` names."""
    write_unit(tmp_path, "plain", PLAIN)
    assert make(tmp_path, "plain@Unit") is not make(tmp_path, "plain@Unit")


def test_5_2_the_body_runs_once(tmp_path: Path) -> None:
    """Deviation: ModelBox runs it twice for the first node and again for every other one."""
    code = PLAIN + "\n    import builtins\n    builtins.bodies = getattr(builtins, 'bodies', 0) + 1\n"
    write_unit(tmp_path, "counted", code)
    for _ in range(3):
        make(tmp_path, "counted@Unit")
    import builtins

    assert builtins.bodies == 1  # type: ignore[attr-defined]
    del builtins.bodies  # type: ignore[attr-defined]


@pytest.mark.parametrize("rival", [False, True])
def test_5_2_a_file_that_was_changed_is_executed_again(tmp_path: Path, rival: bool) -> None:
    if rival:
        make(write_unit(tmp_path / "rival", "edited", PLAIN), "edited@Unit")
    write_unit(tmp_path, "edited", PLAIN + "    word = 'old'\n")
    old = make(tmp_path, "edited@Unit")
    assert type(make(tmp_path, "edited@Unit")) is type(old)
    write_unit(tmp_path, "edited", PLAIN + "    word = 'edited'\n")
    new = make(tmp_path, "edited@Unit")
    assert sys.modules[type(new).__module__].word == "edited"
    assert type(new) is not type(old)
    write_unit(tmp_path, "edited", "raise ValueError('not done yet')\n")
    for _ in range(2):
        assert "not done yet" in str(refusal(tmp_path, "edited@Unit"))


def test_5_2_the_folder_is_appended_to_sys_path(tmp_path: Path) -> None:
    make(write_unit(tmp_path, "plain", PLAIN), "plain@Unit")
    assert sys.path[-1] == str(tmp_path)


def test_5_2_a_module_without_a_rival_has_its_plain_name(tmp_path: Path) -> None:
    unit = make(write_unit(tmp_path, "plain", PLAIN), "plain@Unit")
    assert type(unit).__module__ == "plain"
    assert sys.modules["plain"].__file__ == str(tmp_path / "plain.py")


def test_5_2_units_with_equal_file_names_do_not_collide(tmp_path: Path) -> None:
    """Deviation: in ModelBox the first one is loaded for both."""
    folders = [write_unit(tmp_path / word, "same", WITH_HELPER) for word in ("one", "two", "three")]
    for folder in folders:
        (folder / "helper.py").write_text(f"WORD = {folder.name!r}\n")
    units = [make(folder, "same@Unit") for folder in folders]
    for unit, folder in zip(units, folders, strict=True):
        assert unit.word() == (folder.name,) * 3  # type: ignore[attr-defined]
        assert unit.helper.__file__ == str(folder / "helper.py")  # type: ignore[attr-defined]
        assert sys.modules[type(unit).__module__].Unit is type(unit)


def test_5_2_a_helper_named_as_a_module_of_the_engine_or_of_python(tmp_path: Path) -> None:
    """The unit's own `server`, which the engine has too; the standard library's `json`, as in ModelBox."""
    code = PLAIN + "\n    import server, json\n    Unit.server, Unit.json = server, json\n"
    write_unit(tmp_path, "rivals", code)
    for name in ("server", "json"):
        (tmp_path / f"{name}.py").write_text("MINE = True\n")
    unit = make(tmp_path, "rivals@Unit")
    assert unit.server.MINE  # type: ignore[attr-defined]
    assert not hasattr(unit.json, "MINE")  # type: ignore[attr-defined]
    assert not hasattr(sys.modules["server"], "MINE")


def test_5_2_a_unit_file_named_as_a_module_of_python(tmp_path: Path) -> None:
    """Deviation: ModelBox finds Python's `queue` and no class in it."""
    unit = make(write_unit(tmp_path, "queue", PLAIN), "queue@Unit")
    assert type(unit).__module__.endswith("_queue")
    assert hasattr(importlib.import_module("queue"), "SimpleQueue")


def test_5_2_packages_beside_the_unit(tmp_path: Path) -> None:
    """Two folders with a package of one name, whose modules import each other in every way."""
    for word in ("one", "two"):
        folder = write_unit(
            tmp_path / word,
            "pack",
            "import tools.deep.far as far\nfrom tools import near\n"
            "import _flowunit\nclass Unit(_flowunit.FlowUnit):\n    found = (far.WORD, near.WORD, near.far())\n",
        )
        deep = folder / "tools" / "deep"
        deep.mkdir(parents=True)
        (folder / "tools" / "__init__.py").touch()
        (deep / "__init__.py").touch()
        (deep / "far.py").write_text("from ..near import WORD\n")
        (folder / "tools" / "near.py").write_text(
            f"WORD = {word!r}\ndef far():\n    import tools.deep.far\n    return tools.deep.far.WORD\n"
        )
    for word in ("one", "two"):
        assert make(tmp_path / word, "pack@Unit").found == (word, word, word)  # type: ignore[attr-defined]


def test_5_2_folders_without_init_beside_the_unit(tmp_path: Path) -> None:
    for word in ("one", "two"):
        folder = write_unit(
            tmp_path / word,
            "pack",
            "from parts import part\nimport parts.part as again\nimport numpy\n"
            "import _flowunit\nclass Unit(_flowunit.FlowUnit):\n"
            "    found = (part.WORD, again.WORD, numpy.__name__)\n",
        )
        for name in ("parts", "numpy"):
            (folder / name).mkdir()
        (folder / "parts" / "part.py").write_text(f"WORD = {word!r}\n")
    for word in ("one", "two"):
        assert make(tmp_path / word, "pack@Unit").found == (word, word, "numpy")  # type: ignore[attr-defined]


def test_5_2_a_class_in_a_package(tmp_path: Path) -> None:
    write_unit(tmp_path / "units", "upper", PLAIN)
    (tmp_path / "units" / "__init__.py").touch()
    assert type(make(tmp_path, "units.upper@Unit")).__module__ == "units.upper"


def test_5_2_file_and_resources_beside_it(tmp_path: Path) -> None:
    code = (
        PLAIN
        + "\n    from pathlib import Path\n    Unit.text = (Path(__file__).parent / 'words.txt').read_text()\n"
    )
    write_unit(tmp_path, "reads", code)
    (tmp_path / "words.txt").write_text("hello")
    assert make(tmp_path, "reads@Unit").text == "hello"  # type: ignore[attr-defined]


def test_5_2_dataclasses_enums_and_pickles(tmp_path: Path) -> None:
    """Of plain and of long names alike; a pickle names the module, so it must be importable by that name."""
    code = (
        PLAIN
        + """
    import dataclasses, enum, pickle, typing
    class Colour(enum.Enum):
        RED = 1
    @dataclasses.dataclass
    class Box:
        of: "typing.ClassVar[int]" = 3
        colour: Colour = Colour.RED
    Unit.box = Box()
    Unit.again = pickle.loads(pickle.dumps(Box()))
"""
    )
    for word in ("one", "two"):
        unit = make(write_unit(tmp_path / word, "boxes", code), "boxes@Unit")
        assert unit.box == unit.again == pickle.loads(pickle.dumps(unit.box))  # type: ignore[attr-defined]


def test_5_2_a_pickle_is_read_by_a_spawned_process(tmp_path: Path) -> None:
    """It knows `sys.path` and nothing else of us."""
    code = "def double(x):\n    return 2 * x\n" + PLAIN.replace("    ", "", 1)
    write_unit(
        tmp_path,
        "work",
        "import work_helper\n" + "import _flowunit\nclass Unit(_flowunit.FlowUnit):\n    f = work_helper.double\n",
    )
    (tmp_path / "work_helper.py").write_text("def double(x):\n    return 2 * x\n")
    del code
    unit = make(tmp_path, "work@Unit")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(type(unit).f, (4,)) == 8  # type: ignore[attr-defined]


def test_5_2_modules_that_import_each_other(tmp_path: Path) -> None:
    for word in ("one", "two"):
        folder = write_unit(
            tmp_path / word,
            "ring",
            "import left\n" + "import _flowunit\nclass Unit(_flowunit.FlowUnit):\n    word = left.right.WORD\n",
        )
        (folder / "left.py").write_text("import right\n")
        (folder / "right.py").write_text(f"import left\nWORD = {word!r}\n")
    assert [make(tmp_path / word, "ring@Unit").word for word in ("one", "two")] == ["one", "two"]  # type: ignore[attr-defined]


def test_5_2_many_threads_that_load_at_once(tmp_path: Path) -> None:
    found: list[str] = []

    def load(number: int) -> None:
        unit = make(tmp_path / str(number), "same@Unit")
        found.extend(unit.word())  # type: ignore[attr-defined]

    for number in range(8):
        write_unit(tmp_path / str(number), "same", WITH_HELPER)
        (tmp_path / str(number) / "helper.py").write_text(f"WORD = '{number}'\n")
    threads = [threading.Thread(target=load, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == sorted(str(number) for number in range(8) for _ in range(3))


def test_5_2_import_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    error = refusal(write_unit(tmp_path, "broken", "import os\nimport no_such_thing\n"), "broken@Unit")
    assert error.messages == (
        "import broken@Unit failed: ModuleNotFoundError: No module named 'no_such_thing'",
        f"node 'n': {tmp_path}/broken.py, line 2, in <module>: import no_such_thing",
    )
    assert "Traceback" in caplog.text
    assert "broken" not in sys.modules


def test_5_2_error_in_a_helper(tmp_path: Path) -> None:
    write_unit(tmp_path, "asks", "import broken_helper\n")
    (tmp_path / "broken_helper.py").write_text("\n\nraise ValueError('no model')\n")
    assert refusal(tmp_path, "asks@Unit").messages == (
        "import asks@Unit failed: ValueError: no model",
        f"node 'n': {tmp_path}/broken_helper.py, line 3, in <module>: raise ValueError('no model')",
    )


def test_5_2_syntax_error(tmp_path: Path) -> None:
    error = refusal(write_unit(tmp_path, "syntax", "x = 1\ndef f(:\n"), "syntax@Unit")
    assert error.messages[0].startswith("import syntax@Unit failed: SyntaxError: ")
    assert error.messages[1] == f"node 'n': {tmp_path}/syntax.py, line 2: def f(:"


def test_5_2_no_such_file(tmp_path: Path) -> None:
    assert refusal(tmp_path, "nothing_here@Unit").messages == (
        "import nothing_here@Unit failed: ModuleNotFoundError: No module named 'nothing_here'",
        f"node 'n': there is no file {tmp_path}/nothing_here.py",
    )


def test_5_2_no_such_class(tmp_path: Path) -> None:
    error = refusal(write_unit(tmp_path, "plain", PLAIN), "plain@Other")
    assert error.messages == (
        "import plain@Other failed: AttributeError: module 'plain' has no attribute 'Other'",
        f"node 'n': {tmp_path}/plain.py has no class 'Other'",
    )


def test_5_2_constructor_error(tmp_path: Path) -> None:
    code = PLAIN.replace("pass", "def __init__(self):\n            super().__init__()\n            1 / 0")
    error = refusal(write_unit(tmp_path, "zero", code), "zero@Unit")
    assert error.messages == (
        "import zero@Unit failed: ZeroDivisionError: division by zero",
        f"node 'n': {tmp_path}/zero.py, line 6, in __init__: 1 / 0",
    )


def test_5_2_constructor_with_arguments(tmp_path: Path) -> None:
    code = PLAIN.replace("pass", "def __init__(self, size):\n            super().__init__()")
    (message, _) = refusal(write_unit(tmp_path, "sized", code), "sized@Unit").messages
    assert "missing 1 required positional argument: 'size'" in message


def test_5_2_exit_while_importing(tmp_path: Path) -> None:
    error = refusal(write_unit(tmp_path, "leaves", "import sys\nsys.exit(3)\n"), "leaves@Unit")
    assert error.messages[0] == "import leaves@Unit failed: SystemExit: 3"


def test_5_2_class_that_is_no_flow_unit(tmp_path: Path) -> None:
    error = refusal(write_unit(tmp_path, "other", "class Unit:\n    pass\n"), "other@Unit")
    assert "is no class derived from modelbox.FlowUnit" in str(error)
