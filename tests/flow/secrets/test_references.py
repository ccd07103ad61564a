"""What graphs may refer to, and what becomes of the values."""

import os
from pathlib import Path

import pytest

from server.flow.graph import compile_graph
from server.flow.mask import MASKED, Mask
from server.flow.plan import PlanNode
from server.flow.secrets import ALL_SECRETS, AllowedSecrets, problems_of_references, resolved
from server.flow.status import FlowError, StatusCode
from tests.flow.http.support import example_plan

NONE = AllowedSecrets()


def value_of(text: str, allowed: AllowedSecrets, key: str = "k", mask: Mask | None = None) -> str:
    return resolved(PlanNode(name="n"), {key: text}, allowed, mask or Mask())[key]


def refusal(text: str, allowed: AllowedSecrets, key: str = "k") -> FlowError:
    with pytest.raises(FlowError) as caught:
        value_of(text, allowed, key)
    assert "node 'n'" in str(caught.value)
    return caught.value


def test_variables_by_name_and_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAM_PASSWORD", "p,w'x")
    monkeypatch.setenv("MODELBOX_SECRET", "ours")
    allowed = AllowedSecrets(env=("CAM_*", "MODELBOX_*"))
    assert value_of("rtsp://u:${env:CAM_PASSWORD}@c/${env:CAM_PASSWORD}", allowed) == "rtsp://u:p,w'x@c/p,w'x"
    for name in ("HOME", "MODELBOX_SECRET", "cam_password", ""):
        assert refusal(f"${{env:{name}}}", allowed).code is StatusCode.PERMIT
    assert refusal("${env:CAM_NONE}", allowed).code is StatusCode.NOTFOUND
    assert refusal("${env:CAM_PASSWORD}", NONE).code is StatusCode.PERMIT


def test_what_is_no_reference_stays() -> None:
    for text in ("$name", "${HOME}", "${env}", "a $ {env:X}", "${vault:x}"):
        assert value_of(text, NONE) == text
    assert value_of("$${env:HOME} and $${", NONE) == "${env:HOME} and ${"


def test_files_under_allowed_directories(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (inside / "key").write_text("line one\nline two\r\n")
    (outside / "key").write_text("never")
    (inside / "link").symlink_to(outside / "key")
    (inside / "data").symlink_to(inside / "key")
    (inside / "binary").write_bytes(b"\xff\xfe")
    (inside / "large").write_text("x" * 70_000)
    os.mkfifo(inside / "pipe")
    allowed = AllowedSecrets(files=(str(inside),))
    assert value_of(f"${{file:{inside}/key}}", allowed) == "line one\nline two"
    assert value_of(f"${{file:{inside}/data}}", allowed) == "line one\nline two"
    for path in (f"{inside}/link", f"{outside}/key", f"{inside}/../outside/key", f"{inside}-2/x", "key", ""):
        error = refusal(f"${{file:{path}}}", allowed)
        assert error.code is StatusCode.PERMIT
        assert "never" not in str(error)
    for name in ("binary", "large", "pipe", "none", ""):
        assert refusal(f"${{file:{inside}/{name}}}", allowed).code is not StatusCode.PERMIT


def test_places_where_no_reference_can_stand() -> None:
    for key in ("device", "batch_size", "queue_size_in_1"):
        assert refusal("${env:HOME}", ALL_SECRETS, key).code is StatusCode.BADCONF
    plan = example_plan(8080, path="/${env:HOME}")
    (problem,) = problems_of_references(plan, ALL_SECRETS)
    assert "cannot stand in endpoint" in str(problem)


def test_a_plan_keeps_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_PLAN", "value-of-plan")
    dot = 'digraph { i[type=input]; o[type=output, x="$arg", y="a,${env:SECRET_OF_PLAN}"]; i -> o }'
    arg = "[args.arg]\ndefault = '${env:SECRET_OF_PLAN}'\n"
    toml = f"[graph]\nformat = 'graphviz'\ngraphconf = '''{dot}'''\n{arg}"
    plan = compile_graph(toml, "toml", args={})
    assert "value-of-plan" not in plan.to_json()
    (output,) = (node for node in plan.nodes if node.name == "o")
    assert resolved(output, output.options, ALL_SECRETS, Mask())["x"] == "value-of-plan"
    assert resolved(output, output.options, ALL_SECRETS, Mask())["y"] == "a\x03value-of-plan"
    assert len(list(problems_of_references(plan, NONE))) == 2


def test_masks() -> None:
    mask = Mask()
    assert mask("any text") == "any text"
    mask.add('q"uo\\te/d &é')
    mask.add("abc")
    mask.add("first-long-line\nsecond-long-line")
    for text in ('q"uo\\te/d &é', 'q\\"uo\\\\te/d &\\u00e9', "q%22uo%5Cte%2Fd%20%26%C3%A9", "second-long-line"):
        assert mask(f"<{text}>") == f"<{MASKED}>"
    assert mask("abcdef") == "abcdef"
