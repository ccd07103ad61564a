"""Clients that hardly pause, to find the one request that is refused or lost."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

THREADS = 4
PAUSE_SECONDS = 0.001


class Hammer:
    """One half of the clients talk over one connection each, the other half over a new one each time. `answers`:
    the bodies of all answers of 200; `wrong` is all else."""

    def __init__(self, port: int, path: str) -> None:
        self._port, self._path = port, path
        self._stop = threading.Event()
        self.answers: list[bytes] = []
        self.wrong: list[object] = []

    def run(self, keeps_alive: bool) -> None:
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
        while not self._stop.is_set():
            try:
                client.request("POST", self._path, b"x" * 100)
                answer = client.getresponse()
                status, body = answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(error)
                client.close()
                continue
            if status == 200:
                self.answers.append(body)
            else:
                self.wrong.append((status, body))
            if not keeps_alive:
                client.close()
            time.sleep(PAUSE_SECONDS)
        client.close()

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def hammering(port: int, path: str) -> Iterator[Hammer]:
    hammer = Hammer(port, path)
    threads = [threading.Thread(target=hammer.run, args=(number % 2 == 0,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield hammer
    finally:
        hammer.stop()
        for thread in threads:
            thread.join()
