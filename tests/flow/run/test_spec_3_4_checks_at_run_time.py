"""Spec 3.4: checks at run time. Those of the counts of a unit's outputs are in test_spec_4_7_output_rules.py."""

import pytest

from server.flow.unitapi import DataContext, UnitStatusCode
from tests.flow.run.programs import ending_of, push, unit


@pytest.mark.parametrize(("one", "two", "shorter"), [("a", "ab", "in_1"), ("ab", "a", "in_2")])
def test_3_4_streams_of_different_lengths_at_one_node_end_the_flow(one: str, two: str, shorter: str) -> None:
    def uneven(context: DataContext) -> UnitStatusCode:
        push(context, *one, port="one")
        return push(context, *two, port="two")

    def never(context: DataContext) -> UnitStatusCode:
        return push(context, "x")

    dot = """in[type=input]; out[type=output]; u[flowunit=u]; join[flowunit=join]
        in -> u:in_1; u:one -> join:in_1; u:two -> join:in_2; join:out_1 -> out"""
    units = [unit("u", uneven, outputs=("one", "two")), unit("join", never, inputs=("in_1", "in_2"))]
    ending = ending_of(dot, units, "x")
    assert ending == UnitStatusCode.STATUS_FAULT
    assert ending.errormsg().startswith("missmatch, received end when other port still has data: ")
    assert f"node 'join', port '{shorter}' is shorter" in ending.errormsg()
