"""Devices: which ones this engine has, and which one a node asks for (spec 2.2)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from server.flow.values import LIST_SEPARATOR

DEVICES: Mapping[str, tuple[str, ...]] = {"cpu": ("0",)}
"""Device type -> its ids."""


@dataclass(frozen=True)
class DeviceRequest:
    """What `device` and `deviceid` of a node say. `choices` are device types with the ids asked for (empty = any);
    no choices = every device type that offers the unit."""

    text: str
    choices: tuple[tuple[str, tuple[str, ...]], ...]
    conflict: bool

    def candidates(self) -> Iterator[tuple[str, str]]:
        """The (device, id) pairs that are asked for and that exist. A pair that does not exist drops its type."""
        for device, ids in self.choices or tuple((device, ()) for device in DEVICES):
            present = DEVICES.get(device, ())
            if present and all(each in present for each in ids):
                yield device, (ids or present)[0]

    def refusal(self) -> str:
        """Why there is no candidate; "" if there is one."""
        if any(True for _ in self.candidates()):
            return ""
        reasons = []
        for device, ids in self.choices:
            if device not in DEVICES:
                reasons.append(f"there is no device type '{device}' here, only {', '.join(DEVICES)}")
            else:
                reasons.append(
                    f"device '{device}' has the id {', '.join(DEVICES[device])} only, not {', '.join(ids)}"
                )
        return "; ".join(reasons)


def device_request(device: str, device_id: str) -> DeviceRequest:
    """`device` is a type or `type[:id[,id]][;type...]`, with 0x03 for commas; `conflict` is set when `deviceid`
    comes with anything but one plain type."""
    text = device.replace(LIST_SEPARATOR, ",")
    choices = []
    for part in text.split(";"):
        name, _, ids = part.partition(":")
        if name.strip():
            choices.append((name.strip(), tuple(each.strip() for each in ids.split(",") if each.strip())))
    if not device_id:
        return DeviceRequest(text, tuple(choices), conflict=False)
    if len(choices) != 1 or choices[0][1]:
        return DeviceRequest(text, tuple(choices), conflict=True)
    ids_asked = tuple(each for each in device_id.split(LIST_SEPARATOR) if each)
    return DeviceRequest(text, ((choices[0][0], ids_asked),), conflict=False)
