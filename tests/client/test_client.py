"""The clients against a real server; the sync one in detail, the async one for what differs."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from server.client import (
    ApiError,
    AsyncClient,
    BadAnswer,
    Client,
    ConditionFailed,
    InvalidGraph,
    JobExists,
    NoSuchJob,
    Retries,
    Settings,
    Unavailable,
    Unreachable,
)
from server.jobs.words import JobStatus
from server.wire.entries import Entry
from tests.client.pretend import Pretender, answer
from tests.installation import Installation, bad_flow, echo_flow, free_port

QUICK = Retries(count=2, delay=0.01)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("client") / "state") as installation:
        yield installation.start()


@pytest.fixture
def client(server: Installation) -> Iterator[Client]:
    with Client(url_of(server)) as client:
        yield client


@pytest.fixture
async def async_client(server: Installation) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(url_of(server)) as client:
        yield client


def url_of(server: Installation) -> str:
    return f"http://127.0.0.1:{server.port}"


def test_the_life_of_a_job(server: Installation, client: Client) -> None:
    client.create("life", echo_flow(server.flow_port, "/life"))
    assert client.status("life").job_status is JobStatus.RUNNING
    assert "life" in [job.job_id for job in client.list_all().job_list]
    [row] = client.jobs(text="life")
    assert (row.job_status, row.endpoints) == (JobStatus.RUNNING, (f"http://127.0.0.1:{server.flow_port}/life",))
    assert client.delete("life") is True
    types = [entry.type for entry in client.history("life")]
    assert types[0] == "job-created"
    assert types[-1] == "job-deleted"
    assert [entry.type for entry in client.history("life", newest_first=True)] == types[::-1]


def test_what_the_server_refuses(client: Client) -> None:
    with pytest.raises(NoSuchJob) as no_such_job:
        client.status("nobody/at?all")
    assert (no_such_job.value.status, no_such_job.value.code) == (404, "MODELBOX_002")
    with pytest.raises(InvalidGraph, match="no_such_unit"):
        client.create("bad", bad_flow())
    assert client.status("bad").job_status is JobStatus.FAILED
    with pytest.raises(JobExists):
        client.create("bad", bad_flow())
    with pytest.raises(ApiError) as bad_limit:
        client.create("bad-options", bad_flow(), options={"limits": {"memory": 1}})
    assert bad_limit.value.detail is not None
    assert bad_limit.value.detail.field == "options.limits"


def test_what_is_wrong_with_a_graph_is_told_before_there_is_a_job(client: Client) -> None:
    verdict = client.validate(bad_flow(), options={"limits": {"memory": 1}})
    assert not verdict.valid
    assert {problem.field for problem in verdict.problems} == {"job_graph", "options.limits"}
    assert client.validate(echo_flow(9000)).valid


def test_jobs_of_several_pages(server: Installation, client: Client) -> None:
    for n in range(5):
        client.create(f"page-{n}", bad_flow(), wait=False)
    first = client.job_page(text="page-", limit=2, sort="job_id")
    second = client.job_page(text="page-", limit=2, sort="job_id", cursor=first.next)
    assert [row.job_id for row in first.jobs + second.jobs] == [f"page-{n}" for n in range(4)]
    assert first.total == 5


def test_version_and_health(client: Client) -> None:
    assert client.version().program == "modelbox-server"
    assert client.ready().reasons == ()


def test_a_watcher_gets_what_happens_and_ends_when_it_wants(client: Client) -> None:
    connected: list[str | None] = []
    entries = client.watch("watched", after=0, told=connected.append)
    with pytest.raises(NoSuchJob):
        next(entries)
    client.create("watched", bad_flow(), wait=False)
    entries = client.watch("watched", after=0, told=connected.append)
    assert [next(entries).type for _ in range(2)] == ["job-created", "engine-started"]
    entries.close()  # type: ignore[attr-defined]
    assert connected == [None]


def test_only_types_that_are_wanted(client: Client) -> None:
    client.create("typed", bad_flow(), wait=False)
    entries = client.watch("typed", after=0, types=["engine-failed", "job-deleted"])
    assert next(entries).type == "engine-failed"
    client.delete("typed")
    assert next(entries).type == "job-deleted"


class Watching:
    """A watcher on a thread."""

    def __init__(self, client: Client) -> None:
        self.entries: list[Entry] = []
        self.states: list[str | None] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(client,), daemon=True)
        self._thread.start()
        self.wait_for(lambda: bool(self.states))

    def _run(self, client: Client) -> None:
        for entry in client.watch(after=0, told=self.states.append):
            self.entries.append(entry)
            if entry.type == "job-deleted":
                return

    def wait_for(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def end(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()


def test_kill_nine_of_the_server_under_a_watcher(tmp_path: Path) -> None:
    with Installation(tmp_path / "state") as server, Client(url_of(server.start())) as client:
        watching = Watching(client)
        client.create("one", bad_flow(), wait=False)
        server.kill_everything()
        watching.wait_for(lambda: watching.states[-1] is not None)
        server.start()
        client.create("two", bad_flow(), wait=False)
        client.delete("one")
        watching.end()
        positions = [entry.position for entry in watching.entries]
        assert positions == list(range(1, positions[-1] + 1))
        assert [entry.job for entry in watching.entries if entry.type == "job-created"] == ["one", "two"]


def test_a_server_that_is_away() -> None:
    with Client(f"http://127.0.0.1:{free_port()}", retries=QUICK) as client:
        with pytest.raises(Unreachable, match="cannot be reached") as failure:
            client.status("any")
        assert failure.value.nothing_sent
        with pytest.raises(Unreachable):
            next(client.watch(patience=0.3))


def test_patience_counts_from_the_loss_of_the_connection() -> None:
    opened = answer(200, b"id: 7\n\n", {"Content-Type": "text/event-stream"})
    with Pretender([opened]) as away, Client(away.url) as client:
        with pytest.raises(Unavailable):
            next(client.watch(patience=0.3))
        assert len(away.requests) >= 2
        assert "last-event-id: 7" in away.requests[1].lower()


def test_what_is_idempotent_is_tried_again() -> None:
    busy = answer(503, b'{"error_code":"MODELBOX_001","error_msg":"later"}', {"Retry-After": "0"})
    good = answer(200, b'{"job_error_msg":"","job_id":"a","job_status":"RUNNING"}')
    with Pretender([busy, None, good]) as pretender, Client(pretender.url, retries=QUICK) as client:
        assert client.status("aa").job_status is JobStatus.RUNNING
        assert len(pretender.requests) == 3


def keys_in(pretender: Pretender) -> list[str]:
    lines = [line for request in pretender.requests for line in request.splitlines()]
    return [line.partition(": ")[2] for line in lines if line.lower().startswith("idempotency-key:")]


def test_a_create_whose_answer_was_lost_is_sent_again_with_its_key() -> None:
    working = answer(409, b'{"error_code":"MODELBOX_014","error_msg":"wait"}', {"Retry-After": "0"})
    with Pretender([None, working, answer(201, b"")]) as pretender, Client(pretender.url, retries=QUICK) as client:
        client.create("aa", bad_flow())
        assert len(pretender.requests) == 3
        first, *others = keys_in(pretender)
        assert others == [first, first]
    with Pretender([answer(204, b"")] * 2) as pretender, Client(pretender.url, retries=QUICK) as client:
        for _ in range(2):
            client.delete("aa")
        assert len({first, *keys_in(pretender)}) == 3


def test_a_job_is_changed_only_as_it_was_seen(server: Installation, client: Client) -> None:
    client.create("seen", bad_flow(), wait=False)
    with pytest.raises(ConditionFailed):
        client.delete("seen", if_match='"1-7"')
    assert client.delete("seen", if_match=client.etag("seen"))


def test_a_delete_whose_answer_was_lost_has_done_its_work() -> None:
    gone = answer(404, b'{"error_code":"MODELBOX_002","error_msg":"no such job"}')
    with Pretender([None, gone]) as pretender, Client(pretender.url, retries=QUICK) as client:
        assert client.delete("aa") is True


@pytest.mark.parametrize("status", [200, 418])
def test_a_server_of_another_kind(status: int) -> None:
    page = answer(status, b"<html>hello</html>")
    with Pretender([page, page]) as pretender, Client(pretender.url) as client:
        with pytest.raises(BadAnswer, match="is the URL that of a modelbox-server"):
            client.status("aa")
        with pytest.raises(BadAnswer):
            next(client.watch())


def test_the_token_is_sent() -> None:
    good = answer(200, b'{"job_list":[]}')
    with Pretender([good]) as pretender:
        with Client(Settings(url=pretender.url, token="secret")) as client:
            client.list_all()
        assert "authorization: bearer secret" in pretender.requests[0].lower()


async def test_the_async_client_does_the_same(server: Installation, async_client: AsyncClient) -> None:
    await async_client.create("awaited", echo_flow(server.flow_port, "/awaited"))
    assert (await async_client.status("awaited")).job_status is JobStatus.RUNNING
    assert [row.job_id async for row in async_client.jobs(text="awaited")] == ["awaited"]
    assert await async_client.delete("awaited") is True
    types = [entry.type async for entry in async_client.history("awaited")]
    assert (types[0], types[-1]) == ("job-created", "job-deleted")
    with pytest.raises(NoSuchJob):
        await async_client.status("awaited")
    assert (await async_client.version()).program == "modelbox-server"
    assert (await async_client.ready()).status == "ready"


async def test_the_async_watcher_goes_on_after_kill_nine(tmp_path: Path) -> None:
    with Installation(tmp_path / "state") as server:
        server.start()
        async with AsyncClient(url_of(server)) as client:
            states: list[str | None] = []
            entries: list[Entry] = []

            async def watch() -> None:
                async for entry in client.watch(after=0, told=states.append):
                    entries.append(entry)
                    if entry.type == "job-deleted":
                        return

            async with asyncio.timeout(30), asyncio.TaskGroup() as group:
                watching = group.create_task(watch())
                await client.create("one", bad_flow(), wait=False)
                await asyncio.to_thread(server.kill_everything)
                await asyncio.to_thread(server.start)
                await client.delete("one")
                await watching
            assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
            assert None in states


async def test_a_cancelled_watcher_lets_go(server: Installation, async_client: AsyncClient) -> None:
    watching = asyncio.ensure_future(anext(async_client.watch()))
    await asyncio.sleep(0.05)
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    assert (await async_client.version()).program == "modelbox-server"
