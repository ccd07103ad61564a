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
