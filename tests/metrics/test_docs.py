"""docs/metrics.md lists what there is; alerts and dashboard ask for nothing else."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.metrics.docs import families, markdown, series_names
from server.metrics.family import Kind

DOCS = Path(__file__).parent.parent.parent / "docs"
RULES = [
    rule
    for group in yaml.safe_load((DOCS / "prometheus-alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((DOCS / "grafana-dashboard.json").read_text())
LABELS_OF = {name: {*family.labels, "instance"} for family in families() for name in series_names(family)}
HISTOGRAMS = {f"{family.name}_bucket" for family in families() if family.kind is Kind.HISTOGRAM}
COUNTERS = {f.name for f in families() if f.kind is Kind.COUNTER} | {
    name for f in families() if f.kind is Kind.HISTOGRAM for name in series_names(f)
}


def panels() -> Iterator[dict[str, Any]]:
    return (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in RULES} | {
    f"{panel['title']} {target['refId']}": target["expr"] for panel in panels() for target in panel["targets"]
}


def used(expression: str) -> set[str]:
    return set(re.findall(r"\bmodelbox_\w+", expression))


def test_docs_metrics_md_is_the_declarations() -> None:
    """When this fails: modelbox-server metrics-doc > docs/metrics.md"""
    assert (DOCS / "metrics.md").read_text() == markdown()


def test_declarations_keep_prometheus_habits() -> None:
    names = [family.name for family in families()]
    assert len(names) == len(set(names))
    for family in families():
        assert family.name.startswith("modelbox_")
        assert (family.kind is Kind.COUNTER) == family.name.endswith("_total")
        assert family.kind is not Kind.HISTOGRAM or family.name.endswith("_seconds")
        assert not {"job", "instance", "le"} & set(family.labels)
        assert not family.help.endswith(".")


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_expressions_name_what_exists(where: str) -> None:
    expression = EXPRESSIONS[where]
    assert used(expression) <= set(LABELS_OF), where
    assert used(expression) or "up{" in expression
    assert expression.count("(") == expression.count(")")
    for name, selector in re.findall(r"\b(modelbox_\w+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)(?:=~|!~|!=|=)", selector)) <= LABELS_OF[name], where
    known = {"le"}.union(*(LABELS_OF[name] for name in used(expression)))
    for grouping in re.findall(r"\bby \(([^)]*)\)", expression):
        assert set(grouping.replace(" ", "").split(",")) <= known, where


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_functions_fit_the_kind_of_metric(where: str) -> None:
    expression = EXPRESSIONS[where]
    for function, name in re.findall(r"\b(rate|increase|delta|deriv)\((modelbox_\w+)", expression):
        assert (function in ("rate", "increase")) == (name in COUNTERS), f"{where}: {function} of {name}"
    if "histogram_quantile" in expression:
        assert used(expression) <= HISTOGRAMS, where


def test_alerts_say_what_is_wrong_and_how_bad_it_is() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        labels = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        known = {"instance", "job"}.union(*(LABELS_OF[name] for name in used(rule["expr"])))
        assert labels <= known, rule["alert"]
        assert rule["annotations"]["summary"]


def test_labels_that_an_alert_shows_are_left_by_its_expression() -> None:
    for rule in RULES:
        groupings = re.findall(r"\bby \(([^)]*)\)", rule["expr"])
        if groupings:
            kept = set(groupings[0].replace(" ", "").split(","))
            assert set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"]))) <= kept, rule["alert"]


def test_every_metric_of_jobs_is_on_the_dashboard() -> None:
    shown = set().union(*(used(expression) for expression in EXPRESSIONS.values()))
    missing = [f.name for f in families() if "job_id" in f.labels and not shown & set(series_names(f))]
    assert missing == []


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    assert max(x for x, _ in taken) == 23


def test_legends_name_labels_that_the_expression_leaves() -> None:
    for panel in panels():
        for target in panel["targets"]:
            labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            groupings = re.findall(r"\bby \(([^)]*)\)", target["expr"])
            kept = set(groupings[0].replace(" ", "").split(",")) if groupings else set()
            assert labels <= kept, panel["title"]
