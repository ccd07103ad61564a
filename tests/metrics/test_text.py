"""The text is what prometheus-client itself would write, and what its parser reads."""

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from server.metrics.family import Family, Kind, Samples
from server.metrics.text import MOST_LABEL_CHARS, parts_of, text_of
from server.tally import Durations

GAUGE = Family("m_size", Kind.GAUGE, "How much", ("job_id",))
COUNTER = Family("m_done_total", Kind.COUNTER, "How often, \\ or so")
HISTOGRAM = Family("m_seconds", Kind.HISTOGRAM, "How long", ("job_id",))
ODD = 'a "quoted" \\ back\nslash, ünïcödé {}'


def some() -> Samples:
    samples = Samples()
    for job_id in ("a", ODD):
        labels = {"job_id": job_id}
        samples.add(GAUGE, 1.5, labels)
        samples.add_durations(HISTOGRAM, Durations((0.001, 1.0, 10.0), (1, 2, 0, 4), 55.5), labels)
    samples.add(COUNTER, 3)
    return samples


def values(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text.decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_it_says_what_prometheus_client_says() -> None:
    ours, theirs = text_of([parts_of(some())]), generate_latest(some())
    assert values(ours) == values(theirs)
    assert [line for line in ours.splitlines() if line.startswith(b"#")] == [
        line for line in theirs.splitlines() if line.startswith(b"#")
    ]


def test_a_histogram_accumulates_up_to_infinity() -> None:
    read = values(text_of([parts_of(some())]))
    buckets = [read["m_seconds_bucket", (("job_id", "a"), ("le", le))] for le in ("0.001", "1", "10", "+Inf")]
    assert buckets == [1, 3, 3, 7]
    assert read["m_seconds_count", (("job_id", "a"),)] == 7
    assert read["m_seconds_sum", (("job_id", "a"),)] == 55.5


def test_truth_is_a_number() -> None:
    samples = Samples()
    samples.add(GAUGE, True, {"job_id": "a"})
    assert b'm_size{job_id="a"} 1\n' in text_of([parts_of(samples)])


def test_what_two_processes_say_of_a_metric_stands_together() -> None:
    other = Samples()
    other.add(GAUGE, 7, {"job_id": "b"})
    text = text_of([parts_of(some()), parts_of(other)]).decode()
    assert text.count("# TYPE m_size gauge") == 1
    lines = [line for line in text.splitlines() if line.startswith("m_size")]
    assert len(lines) == 3
    block = text[text.index("m_size{") : text.index("# HELP", text.index("m_size{"))]
    assert block.splitlines() == lines


def test_long_values_are_cut_and_stay_different() -> None:
    samples = Samples()
    for end in "ab":
        samples.add(GAUGE, 1, {"job_id": "x" * 10_000 + end})
    read = values(text_of([parts_of(samples)]))
    assert len(read) == 2
    assert all(len(labels[0][1]) == MOST_LABEL_CHARS for _, labels in read)


def test_half_a_character_does_no_harm() -> None:
    samples = Samples()
    samples.add(GAUGE, 1, {"job_id": "\ud800"})
    assert values(text_of([parts_of(samples)])) == {("m_size", (("job_id", "?"),)): 1}
