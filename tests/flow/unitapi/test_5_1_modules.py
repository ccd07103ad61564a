"""Spec 5.1: the modules `_flowunit` and `modelbox`."""

import subprocess
import sys
from pathlib import Path

import pytest

from server.flow import unitapi
from tests.flow.unitapi.folders import make, write_unit

SHARED = [
    *("debug", "info", "notice", "warn", "error", "fatal", "set_log_level"),
    *("Status", "Configuration", "Device", "Buffer", "BufferList", "FlowUnitError", "FlowUnitEvent", "DataMeta"),
    *("SessionContext", "ExternalData", "DataContext"),
]
PROGRAMS = [
    *("Log", "Logger", "ExtOutputBufferList", "ExternalDataMap", "Flow", "ModelBoxEngine", "DataHandler"),
    *("FlowGraphDesc", "FlowNodeDesc", "FlowPortDesc", "FlowStreamIO", "Model", "__version__"),
]
CLASSES = [name for name in (*SHARED, *PROGRAMS) if name[0].isupper()]
UNIT = """
    import {name}
    from {name} import FlowUnit
    class Unit(FlowUnit):
        api = {name}
"""


def api(folder: Path, name: str) -> object:
    return make(
        write_unit(folder, name.strip("_") + "_unit", UNIT.format(name=name)), f"{name.strip('_')}_unit@Unit"
    ).api  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [*SHARED, "FlowUnit"])
def test_5_1_flowunit_has(tmp_path: Path, name: str) -> None:
    assert hasattr(api(tmp_path, "_flowunit"), name)


@pytest.mark.parametrize("name", [*SHARED, *PROGRAMS])
def test_5_1_modelbox_has(tmp_path: Path, name: str) -> None:
    assert hasattr(api(tmp_path, "modelbox"), name)


@pytest.mark.parametrize("module", ["_flowunit", "modelbox"])
def test_5_1_external_data_simple_is_registered_nowhere(tmp_path: Path, module: str) -> None:
    assert not hasattr(api(tmp_path, module), "ExternalDataSimple")


def test_5_1_modelbox_has_the_base_class_of_units_too(tmp_path: Path) -> None:
    """Deviation: in ModelBox only `_flowunit` has it, as its classes are others than those of `modelbox`."""
    assert api(tmp_path, "modelbox").FlowUnit is unitapi.FlowUnit  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [*CLASSES, "FlowUnit"])
def test_5_1_methods_are_snake_case(tmp_path: Path, name: str) -> None:
    found = getattr(api(tmp_path, "modelbox"), name)
    methods = [each for each in vars(found) if callable(getattr(found, each)) and not each.startswith("_")]
    nested = {"StatusCode", "ModelBoxDataType", "Format", "Level"}
    assert [each for each in methods if each != each.lower() and each not in nested] == []


def test_5_1_both_hold_the_same_classes(tmp_path: Path) -> None:
    """As the spec allows: ModelBox has a class of its own in each."""
    assert api(tmp_path, "_flowunit").Buffer is api(tmp_path, "modelbox").Buffer is unitapi.Buffer  # type: ignore[attr-defined]


def test_5_1_both_are_in_sys_modules_once_a_unit_is_loaded(tmp_path: Path) -> None:
    assert "_flowunit" not in sys.modules
    loaded = {name: api(tmp_path, name) for name in ("_flowunit", "modelbox")}
    assert {name: sys.modules[name] for name in loaded} == loaded


def test_5_1_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AttributeError, match="module 'modelbox' has no attribute 'nothing'"):
        api(tmp_path, "modelbox").nothing  # type: ignore[attr-defined]  # noqa: B018


def test_5_1_a_script_that_has_the_real_modelbox_keeps_it(tmp_path: Path) -> None:
    real = tmp_path / "site" / "modelbox"
    real.mkdir(parents=True)
    (real / "__init__.py").write_text("real = True")
    sys.path.insert(0, str(real.parent))
    unit_sees = api(tmp_path / "unit", "modelbox")
    import modelbox  # type: ignore[import-not-found]

    assert modelbox.real
    assert not hasattr(unit_sees, "real")


def test_5_1_loading_a_unit_loads_neither_numpy_nor_the_programmatic_api(tmp_path: Path) -> None:
    write_unit(tmp_path, "light", UNIT.format(name="_flowunit"))
    script = f"""
import sys
from pathlib import Path
from tests.flow.unitapi.folders import make
make(Path({str(tmp_path)!r}), "light@Unit")
print([name for name in ("numpy", "server.flow.sdk") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
