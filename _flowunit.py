"""`import _flowunit` in a program, for instance in a test of a unit: the API of units (spec 5.1)."""

import sys

from server.flow.pyunits.imports import UnitImports

sys.modules[__name__] = UnitImports.of_process().api["_flowunit"]
