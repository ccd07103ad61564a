"""docs/metrics.md, from the declarations."""

from collections.abc import Iterator
from types import ModuleType

from server.metrics import of_jobs, of_server
from server.metrics.family import Family, Kind

PAGES: tuple[tuple[str, ModuleType], ...] = (("Jobs", of_jobs), ("The server", of_server))

INTRODUCTION = """# Metrics

`GET /metrics` answers in Prometheus' text format. This page is written by `modelbox-server metrics-doc`; a test
compares it with the code. There are [alerts](prometheus-alerts.yaml) for Prometheus and a
[dashboard](grafana-dashboard.json) for Grafana.

```yaml
scrape_configs:
  - job_name: modelbox
    static_configs: [{targets: ["127.0.0.1:1104"]}]
```

- An answer takes at most five seconds, whatever database, runner and engines do, and says what is known by
  then: it is 200 also when the database is gone (`modelbox_database_up 0`), when no runner answers
  (`modelbox_runner_up 0`, and nothing of engines) or when engines hang (`modelbox_engines_silent`; what they
  last said, with its age). Nothing is measured unless somebody asks, and not more than once a second.
- `job_id` and `node` are those of live jobs: a job that is deleted is gone from the next answer. Of more than
  `metrics.max_jobs` jobs the oldest are told of, and of nodes no more than `metrics.max_nodes` in all.
- Engines are told of by the API on the machine where the runner leads. When several APIs run there, each tells
  the same of jobs and engines, and its own of requests: take `max by (job_id)` of the former and `sum` of the
  latter.
- Counters of nodes and requests begin anew with each engine, `modelbox_job_restarts_total` with each new job.
"""


def families() -> list[Family]:
    return [family for _, module in PAGES for family in families_of(module)]


def families_of(module: ModuleType) -> list[Family]:
    return [value for value in vars(module).values() if isinstance(value, Family)]


def markdown() -> str:
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    for title, module in PAGES:
        yield f"## {title}\n"
        yield "| metric | type | labels | |\n|---|---|---|---|"
        for family in families_of(module):
            labels = ", ".join(f"`{label}`" for label in family.labels)
            yield f"| `{family.name}` | {family.kind} | {labels} | {family.help}. |"
        yield ""


def series_names(family: Family) -> list[str]:
    """The names that queries may use."""
    if family.kind is Kind.HISTOGRAM:
        return [f"{family.name}_{part}" for part in ("bucket", "count", "sum")]
    return [family.name]
