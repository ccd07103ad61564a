"""The end of a process, in words."""

from server.engines.driver import Exited


def how_it_ended(news: Exited) -> str:
    if news.reason:
        return news.reason
    if news.out_of_memory:
        return "Out of memory, the engine process was killed by the system for want of memory"
    if news.signal is not None:
        return f"Fault, the engine process was ended by signal {news.signal}"
    if news.exit_code is not None:
        return f"Fault, the engine process exited with code {news.exit_code}"
    return "Fault, the engine process is gone; nobody saw how it ended"
