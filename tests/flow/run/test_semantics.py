"""Data semantics, row by row of spec 4."""

import pytest

from server.flow.description import FlowType
from server.flow.status import FlowError, StatusCode
from tests.flow.run.support import Graph, Run, run


def chain(*kinds: str, **options: str) -> Graph:
    graph = Graph()
    last = graph.add("Src")
    for kind in kinds:
        last = graph.add(kind, last, options=options)
    graph.add("Sink", last)
    return graph


def test_normal_units_keep_the_order_of_each_session() -> None:
    done = run(chain("Add", "Add", slow="2").plan(), [str(n) for n in range(100)], ["x"], [])
    assert done.sunk == [[f"{n}nn" for n in range(100)], ["xnn"], []]


def test_a_normal_batch_mixes_sessions_up_to_its_size() -> None:
    graph = chain("Add", batch_size="3")
    made = Run(graph.plan(), [["a"], ["b"], ["c"], ["d"]]).wait()
    assert made.sunk == [["an"], ["bn"], ["cn"], ["dn"]]
    assert made.nodes["n1_Add"].calls <= 4


def test_a_stream_unit_gets_pre_process_post_in_one_context() -> None:
    done = run(chain("Trace").plan(), ["a", "b", "c"])
    trace = done.traces[0]
    assert (trace[0], trace[-1]) == ("pre", "post")
    assert sum(part for part in trace[1:-1] if isinstance(part, int)) == 3


def test_an_empty_stream_calls_nothing_and_passes_its_end_on() -> None:
    done = run(chain("Trace", "Add").plan(), [])
    assert done.traces == [[]]
    assert done.sunk == [[]]


def test_a_failed_data_pre_gives_one_error_and_drops_the_rest() -> None:
    graph = Graph()
    source = graph.add("Src")
    graph.add("Sink", graph.add("PreFails", source, max_batch_size=1))
    done = run(graph.plan(), ["a", "b", "c"])
    assert done.sunk == [["!PreFails.DataPreError"]]
    assert done.traces == [["post"]]


def test_a_condition_and_its_join_restore_the_order() -> None:
    graph = Graph()
    choice = graph.add("OddEven", graph.add("Src"))
    odd = graph.add("Add", f"{choice}:odd", options={"tag": "-odd", "slow": "1"})
    graph.add("Sink", [odd, f"{choice}:even"])
    done = run(graph.plan(), ["a", "bb", "c", "dd", "e"], ["ff"], [])
    assert done.sunk == [["a-odd", "bb", "c-odd", "dd", "e-odd"], ["ff"], []]


def test_branches_that_end_in_sinks_need_no_join() -> None:
    graph = Graph()
    choice = graph.add("OddEven", graph.add("Src"))
    graph.add("Sink", f"{choice}:odd")
    graph.add("Sink", f"{choice}:even")
    done = run(graph.plan(), ["a", "bb", "c"])
    assert sorted(done.sunk[0]) == ["a", "bb", "c"]


@pytest.mark.parametrize("split", ["Split", "SplitByEvents"])
@pytest.mark.parametrize("flow_type", [FlowType.NORMAL, FlowType.STREAM])
def test_expand_and_collapse_give_one_buffer_each_and_none_for_none(split: str, flow_type: FlowType) -> None:
    graph = Graph()
    parts = graph.add(split, graph.add("Src"))
    graph.add("Sink", graph.add("Glue", graph.add("Add", parts), flow_type=flow_type))
    done = run(graph.plan(), ["a", "bb", "cccc", "ddd"], [], ["eeee"])
    assert done.sunk == [["[a.0n]", "[bb.0n,bb.1n]", "[ddd.0n,ddd.1n,ddd.2n]"], [], []]


def test_a_buffer_and_what_became_of_its_parts_meet_again() -> None:
    graph = Graph()
    source = graph.add("Src")
    glued = graph.add("Glue", graph.add("Add", graph.add("Split", source), options={"slow": "2"}))
    graph.add("Sink", graph.add("Join2", source, glued))
    done = run(graph.plan(), ["a", "bb", "cccc", "ddd"])
    assert done.sunk == [["(a|[a.0n])", "(bb|[bb.0n,bb.1n])", "(ddd|[ddd.0n,ddd.1n,ddd.2n])"]]


def test_one_bad_part_makes_the_collapsed_buffer_an_error() -> None:
    graph = Graph()
    parts = graph.add("Split", graph.add("Src"))
    graph.add("Sink", graph.add("Glue", graph.add("Add", parts, options={"bad": "4"})))
    assert run(graph.plan(), ["a", "bb", "c"]).sunk == [["[a.0n]", "!Add.Bad", "[c.0n]"]]


def test_an_error_goes_around_units_that_do_not_see_it() -> None:
    graph = Graph()
    bad = graph.add("Add", graph.add("Src"), options={"bad": "2"})
    graph.add("Sink", graph.add("Number", graph.add("Add", bad)))
    assert run(graph.plan(), ["a", "bb", "c"]).sunk == [["ann0", "!Add.Bad", "cnn1"]]


def test_a_unit_deeper_than_the_error_does_not_see_it() -> None:
    graph = Graph()
    bad = graph.add("Add", graph.add("Src"), options={"bad": "2"})
    inner = graph.add("BlindSink", graph.add("Split", bad), exception_visible=True)
    done = run(graph.plan(), ["bb"])
    assert inner.endswith("BlindSink")
    assert done.sunk == [[]]
    assert done.errors == [("Add.Bad", "bb")]


def test_an_error_at_a_node_without_outputs_is_the_sessions_error() -> None:
    graph = Graph()
    graph.add("BlindSink", graph.add("Add", graph.add("Src"), options={"bad": "1"}))
    done = run(graph.plan(), ["abc"], [])
    assert done.errors == [("Add.Bad", "abc"), None]


@pytest.mark.parametrize("flow_type", [FlowType.NORMAL, FlowType.STREAM])
def test_an_error_status_turns_the_outputs_into_errors(flow_type: FlowType) -> None:
    graph = Graph()
    graph.add("Sink", graph.add("Returns", graph.add("Src"), options={"code": "13"}, flow_type=flow_type))
    assert run(graph.plan(), ["a"]).sunk == [["!Returns.ProcessError"]]


@pytest.mark.parametrize("code", [StatusCode.STOP, StatusCode.SHUTDOWN])
@pytest.mark.parametrize("flow_type", [FlowType.NORMAL, FlowType.STREAM])
def test_stop_and_shutdown_end_the_flow_with_stop(code: StatusCode, flow_type: FlowType) -> None:
    graph = Graph()
    options = {"code": str(int(code))}
    graph.add("Sink", graph.add("Returns", graph.add("Src"), options=options, flow_type=flow_type))
    done = run(graph.plan(), ["a"])
    assert done.ended is not None
    assert done.ended[0] is StatusCode.STOP


def test_a_normal_unit_with_a_wrong_count_ends_the_flow() -> None:
    done = run(chain("Nothing").plan(), ["a"])
    assert done.ended is not None
    assert "input buffer count 1 should equal output buffer count 0" in done.ended[1]


def test_a_condition_that_gives_nothing_ends_the_flow() -> None:
    graph = Graph()
    choice = graph.add("OddEven", graph.add("Src"), entry="tests.flow.run.units:Nothing")
    graph.add("Sink", [f"{choice}:odd", f"{choice}:even"])
    done = run(graph.plan(), ["a"])
    assert done.ended is not None
    assert done.ended[0] is StatusCode.STOP


def test_continue_from_a_normal_unit_leaves_a_hole() -> None:
    graph = Graph()
    source = graph.add("Src")
    hole = graph.add("Returns", source, options={"code": "22"})
    graph.add("Sink", graph.add("Join2", source, hole))
    done = run(graph.plan(), ["a", "b"])
    assert done.sunk == [[]]
    assert done.ended is None


def test_streams_of_different_lengths_end_the_flow() -> None:
    graph = Graph()
    source = graph.add("Src")
    fewer = graph.add("GlueBits", source, max_batch_size=1)
    graph.add("Sink", graph.add("Join2", source, fewer))
    done = run(graph.plan(), ["a", "bb", "c"])
    assert done.ended is not None
    assert done.ended[0] is StatusCode.FAULT
    assert "missmatch" in done.ended[1]


def test_queues_of_one_do_not_stop_a_node_that_waits_for_its_other_input() -> None:
    graph = Graph()
    one = {"queue_size": "1"}
    source = graph.add("Src")
    first = graph.add("Add", source, options={**one, "batch_size": "1"})
    held = graph.add("Holds", first, options={**one, "count": "50"}, max_batch_size=1)
    graph.add("Sink", graph.add("Join2", first, held, options=one), options=one)
    done = run(graph.plan(), [str(n) for n in range(50)])
    assert done.sunk == [[f"({n}n|{n}n)" for n in range(50)]]


def test_a_slow_consumer_holds_its_producers_back() -> None:
    graph = Graph()
    one = {"queue_size": "2", "batch_size": "1"}
    last = graph.add("Add", graph.add("Src"), options=one)
    last = graph.add("Add", last, options={**one, "slow": "1"})
    graph.add("Sink", last, options=one)
    made = Run(graph.plan(), [["x"] * 30 for _ in range(10)])
    slow = made.nodes["n2_Add"].inputs[0]
    longest = 0
    while not made._is_over.wait(0.001):
        longest = max(longest, slow.queued)
    made.wait()
    assert made.sunk == [["xnn"] * 30] * 10
    # Room is looked for before a call. Each of 16 threads may be in one, and as many more, and two, may wait
    # for the first of them; each may bring an end along. Without back-pressure 310 would come.
    assert longest <= 2 + 2 * (16 + 16 + 2)


def test_fan_out_gives_each_node_buffers_of_its_own() -> None:
    graph = Graph()
    source = graph.add("Src")
    forked = [graph.add("Fork", source) for _ in range(3)]
    for node in forked:
        graph.add("Sink", node)
    assert sorted(run(graph.plan(), ["a", "b"]).sunk[0]) == ["a", "a", "a", "b", "b", "b"]


def test_stream_metas_are_inherited() -> None:
    graph = Graph()
    meta = graph.add("SetsStreamMeta", graph.add("Src"))
    glued = graph.add("Glue", graph.add("ReadsStreamMeta", graph.add("Split", meta)))
    graph.add("Sink", glued)
    assert run(graph.plan(), ["aa", "b"]).sunk == [["[me,me]", "[me]"]]


@pytest.mark.parametrize("key", ["queue_size", "queue_size_in_1"])
def test_a_queue_size_of_zero_is_refused(key: str) -> None:
    with pytest.raises(FlowError, match="queue size config is zero"):
        run(chain("Add", **{key: "0"}).plan(), ["a"])
