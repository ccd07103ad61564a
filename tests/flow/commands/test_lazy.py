"""The flow commands cost the others nothing."""

import subprocess
import sys


def test_the_command_line_alone_loads_nothing_of_the_flow_package() -> None:
    code = "import server.cli, sys; print(*[name for name in sys.modules if name.startswith('server.flow')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
