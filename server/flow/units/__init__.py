"""The flow units that come with the engine: their descriptions. Their code is loaded when a flow opens."""

from server.flow.description import UnitDescription
from server.flow.units.broker_description import OUTPUT_BROKER
from server.flow.units.data_descriptions import DATA_UNITS
from server.flow.units.http_descriptions import HTTP_UNITS
from server.flow.units.image_descriptions import IMAGE_UNITS

BUILTIN: tuple[UnitDescription, ...] = (*HTTP_UNITS, *DATA_UNITS, *IMAGE_UNITS, OUTPUT_BROKER)
