"""`import modelbox` in a program: the API of units, and flows that a program builds and drives (spec 5.1, 5.13).

A single file, not a package: where ModelBox itself is installed beside it, Python takes ModelBox's package.
"""

import sys

from server.flow.pyunits.imports import UnitImports

sys.modules[__name__] = UnitImports.of_process().api["modelbox"]
