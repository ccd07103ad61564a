"""What messages say of where a problem is: against the messages that the compiler makes."""

import pytest

from server.flow.examine.places import Spot, spot_of
from server.flow.examine.verdict import examine


def graph(*statements: str) -> str:
    lines = "\n".join(statements)
    return f'[graph]\nformat = "graphviz"\ngraphconf = """\ndigraph g {{\n{lines}\n}}\n"""\n'


RECEIVE = 'r [flowunit=httpserver_sync_receive, device=cpu, endpoint="http://127.0.0.1:1/x"]'
REPLY = "p [flowunit=httpserver_sync_reply, device=cpu]"
TO_A = "r:out_request_info -> a:x"


def test_an_unknown_unit_has_a_node_a_line_and_the_units_that_exist() -> None:
    (finding,) = examine(graph("a [flowunit=no_such, device=cpu]", RECEIVE, TO_A), "toml").findings
    assert (finding.status, finding.spot.node, finding.spot.line, finding.source_line) == ("Not found", "a", 2, 5)
    assert "httpserver_async" in finding.spot.available


def test_a_nearly_right_unit_has_a_suggestion() -> None:
    (finding,) = examine(graph("a [flowunit=httpserver_asinc, device=cpu]", RECEIVE, TO_A), "toml").findings
    assert finding.spot.did_you_mean[0] == "httpserver_async"


def test_a_wrong_port_is_named_with_the_ports_that_exist() -> None:
    findings = examine(graph(RECEIVE, REPLY, "r:out_request_info -> p:in_reply"), "toml").findings
    (port,) = [finding.spot for finding in findings if finding.spot.port]
    assert (port.node, port.port, port.line) == ("p", "in_reply", 3)
    assert port.did_you_mean == ("in_reply_info",)
    assert "in_reply_info" in port.available


def test_all_problems_of_a_step_are_found_at_once() -> None:
    statements = [f"n{number} [flowunit=no_such_{number}, device=cpu]" for number in range(5)]
    findings = examine(graph(*statements), "toml").findings
    assert [finding.spot.node for finding in findings] == ["n0", "n1", "n2", "n3", "n4"]


def test_what_is_not_toml_has_the_line_of_the_file() -> None:
    (finding,) = examine("[graph]\nformat = graphviz\n", "toml").findings
    assert (finding.spot.line, finding.source_line) == (2, 2)


def test_a_right_graph_has_a_plan_and_warnings_for_what_nothing_reads() -> None:
    verdict = examine(
        graph(RECEIVE, REPLY.replace("device", "batch_sice=1, device"), "r:out_request_info -> p:in_reply_info"),
        "toml",
    )
    assert verdict.findings == ()
    assert (verdict.nodes, verdict.edges) == (2, 1)
    assert verdict.plan is not None
    assert any("batch_size" in warning for warning in verdict.warnings)


@pytest.mark.parametrize(
    "message", ["", "node '", "node 'a", "line ", "(line )", "available: ", "did you mean ?", "''"]
)
def test_messages_of_other_forms_name_nothing(message: str) -> None:
    assert spot_of(message) == Spot()


def test_a_line_of_a_units_code_is_no_line_of_the_graph() -> None:
    spot = spot_of("Invalid argument, import unit@Unit failed: no name x in line 7 -> node 'a': unit.py")
    assert (spot.node, spot.line) == ("a", 0)
