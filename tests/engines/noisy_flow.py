"""A runtime for tests of logs: a flow that runs the Python code in its settings, in a thread, once it is open."""

import threading

from server.flow.limits import FlowLimits
from server.flow.listeners import Listeners
from server.flow.plan import Plan
from tests.engines.tiny_flow import TinyFlow, TinyRuntime


class NoisyFlow(TinyFlow):
    async def open(self) -> None:
        await super().open()
        code = compile(self._settings["code"], "noise", "exec")
        threading.Thread(target=exec, args=(code, {}), daemon=True).start()


class NoisyRuntime(TinyRuntime):
    def flow(self, plan: Plan, listeners: Listeners, limits: FlowLimits) -> NoisyFlow:
        return NoisyFlow(plan.settings, listeners)
