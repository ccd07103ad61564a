"""Spec 6.3: which of several units of one name a graph gets."""

from pathlib import Path

import pytest

from server.flow.catalogue import Catalogue
from tests.flow.graph.descriptions import describe, scan, write
from tests.flow.graph.helpers import unit


def test_6_3_the_first_one_wins(tmp_path: Path) -> None:
    write(tmp_path / "one", describe(description='"first"', version='"1.0.0"'))
    write(tmp_path / "two", describe(description='"second"', version='"2.0.0"'))
    assert [
        scan(*folders).find("u", "cpu").description
        for folders in (  # type: ignore[union-attr]
            (tmp_path / "one", tmp_path / "two"),
            (tmp_path / "two", tmp_path / "one"),
            (tmp_path,),
        )
    ] == ["first", "second", "first"]


def test_6_3_registered_units_win_over_found_ones(tmp_path: Path) -> None:
    write(tmp_path, describe())
    mine = unit("u", "other", "")
    assert Catalogue({"driver.dir": str(tmp_path)}, [mine]).find("u", "cpu") == mine


def test_6_3_a_found_unit_wins_over_a_built_in_one(tmp_path: Path) -> None:
    write(tmp_path, describe(name='"httpserver_sync_reply"'))
    found = scan(tmp_path).find("httpserver_sync_reply", "cpu")
    assert found is not None
    assert found.entry == "u@U"


def test_6_3_the_same_name_on_another_device_is_another_unit(tmp_path: Path) -> None:
    write(tmp_path, describe(), "a.toml")
    write(tmp_path, describe(device='"cuda"', entry='"v@V"'), "b.toml")
    catalogue = scan(tmp_path)
    entries = [found.entry for device in ("cpu", "cuda") if (found := catalogue.find("u", device))]
    assert entries == ["u@U", "v@V"]


def test_6_3_a_hidden_unit_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Deviation: ModelBox ignores the later one silently."""
    write(tmp_path / "one", describe())
    write(tmp_path / "two", describe(version='"2.0.0"'))
    with caplog.at_level("INFO"):
        scan(tmp_path / "one", tmp_path / "two")
    assert (
        f"'u' of {tmp_path}/two/u.toml is hidden by the one of {tmp_path}/one (u@U, version 1.0.0)" in caplog.text
    )
