"""What clients may send and databases do not take."""

import pytest

from server.jobs import events as e
from server.jobs.commands import Context, CreateJob, Graph
from server.jobs.ids import digest_of
from server.store import Store
from tests.store.jobs import RUNNER, A, create, query, seen

HOSTILE = "a\0b\ud83dc\udc00\U0001f600 \\u0000 \\ \n'\" é"


@pytest.mark.parametrize(
    "source",
    ["plain", "", HOSTILE, "\ud83d\ude00", "\\u0000", "\ud800", "x" * 3_000_000],
    ids=["plain", "empty", "hostile", "split pair", "escape", "half pair", "large"],
)
async def test_a_graph_comes_back_exactly(store: Store, source: str) -> None:
    graph = Graph.of("toml", source)

    await store.submit(create(graph=graph), RUNNER)

    assert await store.graph(graph.digest) == graph
    assert await store.verify() == []


async def test_hostile_text_in_an_event_is_cleaned_before_the_fold(store: Store, url: str) -> None:
    await store.submit(create(), Context(actor=HOSTILE, request_id=HOSTILE, idempotency_key=HOSTILE))

    appended = await store.submit(seen(e.EngineFailed(attempt=1, error=HOSTILE, failures=1)), RUNNER)

    clean = "a\ufffdb\ufffdc\ufffd\U0001f600 \\u0000 \\ \n'\" é"
    assert appended.job is not None
    assert appended.job.error == clean
    assert (await store.snapshot()).jobs == (appended.job,)
    recorded = (await store.events())[0]
    assert (recorded.actor, recorded.request_id, recorded.idempotency_key) == (clean, clean, clean)
    assert query(url, f"SELECT why FROM job_history WHERE job_id = '{A}' AND attempt = 1") == [{"why": clean}]
    assert await store.verify() == []


async def test_a_plan_is_cleaned_too(store: Store) -> None:
    graph = Graph(digest_of("json", "{}"), "json", "{}", "plan\0")

    await store.submit(CreateJob(job_id=A, graph=graph), RUNNER)

    kept = await store.graph(graph.digest)
    assert kept is not None
    assert kept.plan == "plan\ufffd"
