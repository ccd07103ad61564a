"""Spec 5.6: Device."""

from server.flow.unitapi import Device


def test_5_6_get_device_id() -> None:
    assert Device("cpu", "0").get_device_id() == "0"


def test_5_6_get_type() -> None:
    assert Device("cpu", "0").get_type() == "cpu"


def test_5_6_get_device_desc() -> None:
    """Opaque in ModelBox, and nothing that Python could use; here it is None."""
    assert Device("cpu", "0").get_device_desc() is None


def test_5_6_a_program_s_device_is_the_cpu() -> None:
    assert (Device().get_type(), Device().get_device_id()) == ("cpu", "0")
