"""For processes under test: the wall clock is wrong by as many seconds as the file CLOCK_OFFSET says.

Loaded by Python itself when it starts, since this folder is on the path. Built-in types cannot be patched in the
open; their dictionary can.
"""

import ctypes
import datetime
import gc
import os
import time
from pathlib import Path
from typing import Any

_OFFSET = Path(os.environ["CLOCK_OFFSET"])
_real_now = datetime.datetime.now
_real_time = time.time


def _offset() -> float:
    return float(_OFFSET.read_text())


def _now(_cls: type, tz: datetime.tzinfo | None = None) -> datetime.datetime:
    return _real_now(tz) + datetime.timedelta(seconds=_offset())


attributes: dict[str, Any] = gc.get_referents(datetime.datetime.__dict__)[0]
attributes["now"] = classmethod(_now)
ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime.datetime))
time.time = lambda: _real_time() + _offset()
