"""What the benchmarks make of their numbers; the measuring itself needs a machine."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks import chart
from benchmarks.report import BEGIN, END, cpu_table, target_table
from benchmarks.results import judge, summarise


def run(cpu: float, *, clean: bool = True) -> dict[str, Any]:
    """Return what case A gives in one round, as far as it matters here."""
    latency = {"p50_us": 1_000, "p99_us": 2_000}
    return {
        "A": {
            "cpu_us_a_delivery": cpu,
            "delivery": latency,
            "ack": latency,
            "load_share": 0.5,
            "redis_us_a_message": 20.0,
            "deliveries_a_second": 100_000.0,
            "missing": 0,
            "clean": clean,
        }
    }


def test_polluted_runs_do_not_count_beside_clean_ones() -> None:
    """The median is of what was measured on a quiet machine."""
    figure = summarise([run(9), run(40, clean=False), run(10), run(11)])["A cpu"]
    assert (figure.median, figure.clean) == (10, 3)
    assert figure.values == (9, 40, 10, 11)


def test_without_a_clean_run_all_count_and_it_shows() -> None:
    """A table says so when the machine was never quiet."""
    figures = summarise([run(9, clean=False), run(11, clean=False)])
    assert figures["A cpu"].median == 10
    assert "10.0 (9.0–11.0) noisy" in cpu_table({"x": figures}, {"x": "X"})


def test_targets_are_judged_by_the_peers_of_the_same_run() -> None:
    """A bound is a factor of a peer's figure; peers that did not run are left out."""
    servers = {"chatroom": summarise([run(8)]), "node": summarise([run(14)])}
    verdicts = judge(servers, "chatroom")
    assert [(each.target.peer, each.bound) for each in verdicts] == [("node", 7.0)]
    assert not verdicts[0].is_met
    assert "missed, 1.14 × the bound" in target_table(verdicts)


def test_pictures_are_well_formed() -> None:
    """A bar longer than the picture is cut and keeps its number."""
    bars = chart.bars("a < b", ["A"], {"raw": {"A": 5}, "stock": {"A": 900.0}}, 80)
    texts = [each.text for each in ElementTree.fromstring(bars) if each.text]
    assert "900.0 … stock" in texts
    lines = chart.curves("growth", {"rooms": {"1": 1.0, "2": 1.5}})
    assert ElementTree.fromstring(lines).tag.endswith("svg")


def test_the_document_has_the_marks_between_which_results_go() -> None:
    """``make bench`` finds its place in docs/benchmarks.md."""
    text = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
    assert text.index(BEGIN) < text.index(END)
