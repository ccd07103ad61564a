"""Spec 3.3: each rule of matching, each row of its table of examples, the structures of appendix A and 10.3."""

import pytest

from server.flow.status import StatusCode
from tests.flow.graph.helpers import compile_dot, compile_nodes, nodes_dot, refusal

STEP = "check graph failed, please check graph config."


@pytest.mark.parametrize(
    ("kinds", "body"),
    [
        pytest.param(
            "s=source a=select b=plain c=plain d=sink",
            "s:o->a:i; a:x->b:i; a:y->c:i; b:o->d:i; c:o->d:i",
            id="table-2-if-else-join",
        ),
        pytest.param(
            "a=source b=plain c=plain d=sink2",
            "a:o->b:i; a:o->c:i; b:o->d:i1; c:o->d:i2",
            id="table-3-two-ports-from-one-source",
        ),
        pytest.param(
            "a=source2 e=expand f=plain k=collapse g=sink2",
            "a:o1->e:i; e:o->f:i; f:o->k:i; k:o->g:i1; a:o2->g:i2",
            id="table-5-expand-and-collapse-beside-the-original",
        ),
        pytest.param(
            "s=source a=select b=sink c=sink", "s:o->a:i; a:x->b:i; a:y->c:i", id="table-7-branches-end-in-sinks"
        ),
        pytest.param("s=source e=expand f=sink", "s:o->e:i; e:o->f:i", id="rule-4-trailing-expand"),
        pytest.param(
            "s=source a=select d=sink", "s:o->a:i; a:x->d:i; a:y->d:i", id="join-right-after-the-if-else"
        ),
        pytest.param(
            "s=source a=select3 d=sink", "s:o->a:i; a:x->d:i; a:y->d:i; a:z->d:i", id="join-of-three-branches"
        ),
        pytest.param(
            "s=source a=select3 d=sink t=sink", "s:o->a:i; a:x->d:i; a:y->d:i; a:z->t:i", id="join-of-two-of-three"
        ),
        pytest.param(
            "s=source a=select b=plain c=plain m=sink2 y=sink",
            "s:o->a:i; a:x->b:i; a:x->c:i; b:o->m:i1; c:o->m:i2; a:y->y:i",
            id="two-ports-from-one-branch",
        ),
        pytest.param(
            "s=source a=select b=select p=plain d=plain e=sink",
            "s:o->a:i; a:x->b:i; b:x->d:i; b:y->d:i; d:o->p:i; p:o->e:i; a:y->e:i",
            id="if-else-within-if-else-joined-inside-out",
        ),
        pytest.param(
            "s=source2 a=select p=plain q=plain r=plain m=sink2",
            "s:o1->a:i; a:x->p:i; a:y->q:i; p:o->r:i; q:o->r:i; r:o->m:i1; s:o2->m:i2",
            id="after-the-join-the-original-matches-again",
        ),
        pytest.param(
            "s=source e=expand a=select p=plain k=collapse d=sink",
            "s:o->e:i; e:o->a:i; a:x->p:i; p:o->k:i; a:y->k:i; k:o->d:i",
            id="if-else-joined-at-a-collapse-within-an-expand",
        ),
        pytest.param(
            "s=source e=expand f=expand k=collapse l=collapse d=sink",
            "s:o->e:i; e:o->f:i; f:o->k:i; k:o->l:i; l:o->d:i",
            id="expand-within-expand",
        ),
        pytest.param(
            "v=source c=select e=expand i=plain k=collapse d=merge n=sink",
            "v:o->c:i; c:x->e:i; e:o->i:i; i:o->k:i; k:o->d:i1; c:x->d:i2; d:o->n:i; c:y->n:i",
            id="10.3-structure-of-the-emotion-demo",
        ),
        pytest.param(
            "in=input sel=select sq=plain tx=plain out=output",
            "in->sel:i; sel:x->sq:i; sq:o->tx:i; sel:y->tx:i; tx:o->out",
            id="A.1",
        ),
        pytest.param(
            "in=input lines=expand upper=plain glue=collapse out=output",
            "in->lines:i; lines:o->upper:i; upper:o->glue:i; glue:o->out",
            id="A.2",
        ),
        pytest.param(
            "a=input b=input m=merge o=output", "a->m:i1; b->m:i2; m:o->o", id="2.5-inputs-match-each-other"
        ),
    ],
)
def test_3_3_accepted(kinds: str, body: str) -> None:
    compile_nodes(kinds, body)


LINK = "check node {} link connect failed."
LEVEL = "node:{} has different level links, pls check the input links."
ONE_PORT = "node:d port:i. One port links multi edges can not match at one port."
MULTI_PORTS = (
    "node:d port:i. One port links multi edges can not match at multi ports when the match node is condition node."
)
COLLAPSE = ("check node k", "branch match CollapseMatch failed")
OVER = "check over hierarchy match failed, node:{}"


@pytest.mark.parametrize(
    ("kinds", "body", "messages"),
    [
        pytest.param(
            "a=source b=plain c=plain d=sink",
            "a:o->b:i; a:o->c:i; b:o->d:i; c:o->d:i",
            (LINK.format("d"), ONE_PORT),
            id="table-1",
        ),
        pytest.param(
            "s=source s2=select p=plain q=plain r=sink2",
            "s:o->s2:i; s2:x->p:i; s2:y->q:i; p:o->r:i1; q:o->r:i2",
            (LINK.format("r"), "r match from multi ports at s2:x,y. s2 can not be if-else node"),
            id="table-4-rule-3",
        ),
        pytest.param(
            "a=source2 e=expand f=sink2",
            "a:o1->e:i; e:o->f:i1; a:o2->f:i2",
            (LINK.format("f"), LEVEL.format("f"), "a:o2 links f:i2 failed."),
            id="table-6",
        ),
        pytest.param(
            "a=source2 e=expand f=sink2",
            "a:o1->e:i; e:o->f:i2; a:o2->f:i1",
            (LINK.format("f"), LEVEL.format("f"), "e:o links f:i2 failed."),
            id="rule-1-the-other-direction",
        ),
        pytest.param(
            "a=source2 c=select f=sink2 t=sink",
            "a:o1->c:i; c:x->f:i1; c:y->t:i; a:o2->f:i2",
            (LINK.format("f"), LEVEL.format("f")),
            id="rule-1-from-before-and-inside-a-condition",
        ),
        pytest.param(
            "a=source b=source f=sink2",
            "a:o->f:i1; b:o->f:i2",
            (LINK.format("f"), LEVEL.format("f"), "b:o links f:i2 failed."),
            id="rule-1-two-sources",
        ),
        pytest.param(
            "a=source b=source d=sink",
            "a:o->d:i; b:o->d:i",
            (LINK.format("d"), LEVEL.format("d")),
            id="rule-1-two-sources-at-one-port",
        ),
        pytest.param(
            "a=source2 p=plain q=plain d=sink",
            "a:o1->p:i; a:o2->q:i; p:o->d:i; q:o->d:i",
            (LINK.format("d"), MULTI_PORTS),
            id="rule-2-ancestor-is-no-if-else",
        ),
        pytest.param(
            "s=source c=select p=plain q=plain d=sink t=sink",
            "s:o->c:i; c:x->p:i; c:x->q:i; p:o->d:i; q:o->d:i; c:y->t:i",
            (LINK.format("d"), ONE_PORT),
            id="rule-2-same-branch-of-an-if-else",
        ),
        pytest.param(
            "s=source c=select e=select d=sink",
            "s:o->c:i; c:x->e:i; e:x->d:i; e:y->d:i; c:y->d:i",
            (LINK.format("d"), ONE_PORT),
            id="rule-2-inner-branches-joined-with-the-outer-one",
        ),
        pytest.param(
            "s=source c=select e=expand d=sink",
            "s:o->c:i; c:x->e:i; e:o->d:i; c:y->d:i",
            (OVER.format("d"), "from node:c to node:d has unmatched expand or collapse nodes"),
            id="rule-4-expand-in-one-branch",
        ),
        pytest.param(
            "s=source e=expand f=expand m=sink2",
            "s:o->e:i; s:o->f:i; e:o->m:i1; f:o->m:i2",
            (OVER.format("m"), "path branches have unmatched expand node."),
            id="rule-4-branches-expand-differently",
        ),
        pytest.param(
            "s=source k=collapse d=sink",
            "s:o->k:i; k:o->d:i",
            (*COLLAPSE, "can't find a expand node for k"),
            id="rule-5",
        ),
        pytest.param(
            "s=source e=expand j=collapse k=collapse d=sink",
            "s:o->e:i; e:o->j:i; j:o->k:i; k:o->d:i",
            (*COLLAPSE, "can't find a expand node for k"),
            id="rule-5-one-collapse-too-many",
        ),
        pytest.param(
            "s=source e=expand c=select k=collapse d=sink t=sink",
            "s:o->e:i; e:o->c:i; c:x->k:i; c:y->t:i; k:o->d:i",
            (*COLLAPSE, "from node:e to node:k has unmatched expand or collapse nodes"),
            id="rule-4-collapse-inside-a-branch",
        ),
        pytest.param(
            "s=source l=loop e=expand d=sink",
            "s:o->l:i; l:again->e:i; e:o->l:i; l:done->d:i",
            (OVER.format("l"), "from node:l to node:l has unmatched expand or collapse nodes"),
            id="rule-4-expand-in-a-loop",
        ),
    ],
)
def test_3_3_refused(kinds: str, body: str, messages: tuple[str, ...]) -> None:
    error = refusal(nodes_dot(kinds, body))
    assert error.code is StatusCode.BADCONF
    assert error.messages[: len(messages) + 1] == (STEP, *messages)
    assert "(line " in error.messages[-1], "our words say where"


def test_3_3_what_follows_a_mismatch_is_not_blamed_too() -> None:
    body = "s:o->k:i; k:o->m:i1; s:o->m:i2"
    assert "can't find a expand node for k" in str(refusal(nodes_dot("s=source k=collapse m=sink2", body)))


@pytest.mark.parametrize(
    ("kinds", "body", "match"),
    [
        pytest.param("a=source b=plain c=sink", "a:o->b:i; b:o->c:i", {"b": "a", "c": "b"}, id="chain"),
        pytest.param(
            "a=source b=plain c=plain d=sink2",
            "a:o->b:i; a:o->c:i; b:o->d:i1; c:o->d:i2",
            {"b": "a", "c": "a", "d": "a"},
            id="nearest-common-ancestor",
        ),
        pytest.param(
            "s=source a=split b=plain d=merge e=sink2",
            "s:o->a:i; a:o1->b:i; b:o->d:i1; a:o2->d:i2; d:o->e:i1; s:o->e:i2",
            {"a": "s", "b": "a", "d": "a", "e": "s"},
            id="nested",
        ),
        pytest.param(
            "s=source l=loop b=plain c=sink",
            "s:o->l:i; l:again->b:i; b:o->l:i; l:done->c:i",
            {"l": "s", "b": "l", "c": "l"},
            id="the-way-back-of-a-loop-does-not-count",
        ),
    ],
)
def test_3_3_the_match_nodes_of_the_plan(kinds: str, body: str, match: dict[str, str]) -> None:
    assert compile_nodes(kinds, body).match == match


def test_3_3_a_long_chain_of_expands_is_checked_in_reasonable_time() -> None:
    nodes = " ".join(f"e{i}[flowunit=expand]" for i in range(3000))
    links = " ".join(f"e{i}:o->e{i + 1}:i;" for i in range(2999))
    plan = compile_dot(
        f"digraph {{ s[flowunit=source] {nodes} t[flowunit=sink] s:o->e0:i; {links} e2999:o->t:i }}"
    )
    assert len(plan.nodes) == 3002


LOOP = "loop node is illegal, please check graph config."
MEMBERS = "check loop node fail, please check graph config."


@pytest.mark.parametrize(
    ("kinds", "body", "code", "messages"),
    [
        pytest.param(
            "s=source l=loop_two_inputs c=sink",
            "s:o->l:i1; l:again->l:i2; l:done->c:i",
            StatusCode.FAULT,
            (LOOP, "loop node input should be one.", "node 'l' (line 3) has the inputs 'i1', 'i2'"),
            id="inputs",
        ),
        pytest.param(
            "s=source l=loop_one_output c=sink",
            "s:o->l:i; l:done->c:i",
            StatusCode.FAULT,
            (LOOP, "loop node output shoulde be two.", "node 'l' (line 3) has the outputs 'done'"),
            id="outputs",
        ),
        pytest.param(
            "s=source l=loop b=sink c=sink",
            "s:o->l:i; l:again->b:i; l:done->c:i",
            StatusCode.FAULT,
            (LOOP, "loop node can only link 2 edges.", "node 'l' (line 3) has 's:o' (line 6) at its input"),
            id="edges",
        ),
        pytest.param(
            "s=source l=loop b=streamed c=sink",
            "s:o->l:i; l:again->b:i; b:o->l:i; l:done->c:i",
            StatusCode.BADCONF,
            (
                MEMBERS,
                "loop node b can not be stream node.",
                "node 'b' (line 4) is in the loop of 'l': its unit must be of the normal kind (stream = false)",
            ),
            id="member-of-stream-kind",
        ),
        pytest.param(
            "s=source l=loop m=merge",
            "s:o->l:i; l:again->m:i1; l:done->m:i2; m:o->l:i",
            StatusCode.BADCONF,
            (LOOP, "node 'l' (line 3): both of its outputs lead back to it, so nothing can leave the loop"),
            id="no-exit",
        ),
    ],
)
def test_3_3_rule_6_loops_that_are_refused(
    kinds: str, body: str, code: StatusCode, messages: tuple[str, ...]
) -> None:
    error = refusal(nodes_dot(kinds, body))
    assert (error.code, error.messages) == (code, messages)


def test_3_3_rule_6_a_loop_is_accepted() -> None:
    body = "s:o->l:i; l:again->b:i; b:o->l:i; l:done->c:i"
    assert [each.name for each in compile_nodes("s=source l=loop b=plain c=sink", body).nodes] == [*"slbc"]
    compile_nodes("s=source l=loop c=sink", "s:o->l:i; l:again->l:i; l:done->c:i")
