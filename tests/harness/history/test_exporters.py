"""What goes out can come in again, as far as the format allows."""

import csv
import io
import json
import math
from pathlib import Path

from harness.history.exporters import EXPORTERS
from harness.history.importers import import_source
from harness.history.importers.reading import Source
from harness.history_model import HistoryRecord
from harness.model import Direction
from tests.harness.history.support import START, distribution, metric, record

DATA = Path(__file__).resolve().parents[2] / "data" / "importers"


def exported(name: str, *records: HistoryRecord) -> str:
    out = io.StringIO()
    EXPORTERS[name](records, out)
    return out.getvalue()


def imported(text: str) -> tuple[HistoryRecord, ...]:
    account = import_source(Source(path=Path("exported"), content=text.encode(), at=START))
    assert account is not None
    assert {} == account.not_understood
    return tuple(account.records)


def test_json_loses_nothing() -> None:
    records = (
        record(0, metric(math.inf), metric(None, quantile=None), distributions=(distribution(),)),
        record(1, notes=("ünïcode",), extra={"a": "b"}, complete=False),
    )
    assert records == imported(exported("json", *records))
    assert () == imported(exported("json"))


def test_json_is_flat() -> None:
    document = json.loads(exported("json", record(0), record(1)))
    assert [record(0).id, record(1).id] == [row["run"] for row in document["figures"]]
    assert 0.012 == document["figures"][0]["value"]


def test_json_with_lost_parts_says_so() -> None:
    document = json.loads(exported("json", record(0), record(1)))
    del document["runs"][0]
    document["runs"].append({"id": "broken"})
    content = json.dumps(document).encode()
    account = import_source(Source(path=Path("exported"), content=content, at=START))
    assert account is not None
    assert (record(1),) == tuple(account.records)
    assert 1 == account.not_understood["figure of a run that is not told"]
    assert 2 == sum(account.not_understood.values())


def test_csv_is_a_row_a_figure_and_leaves_the_unknown_empty() -> None:
    text = exported("csv", record(0, metric(), metric(None, quantile=0.5), metric(math.inf, quantile=0.99)))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert ["0.012", "", "inf"] == [row["value"] for row in rows]
    assert {"main"} == {row["branch"] for row in rows}
    assert ("", "false", "PASS") == (rows[0]["low"], rows[0]["dirty"], rows[0]["status"])
    assert "id,at_utc,source" == exported("csv")[:16]


def test_github_action_benchmark_goes_round() -> None:
    """What came from a data.js is in the next one as it was."""
    path = DATA / "github-action-benchmark" / "data.js"
    original = path.read_text(encoding="utf-8")
    records = imported(original)
    again = exported("github-action-benchmark", *records)
    first, second = (json.loads(text.partition("=")[2]) for text in (original, again))
    assert first["entries"] == second["entries"]
    assert first["repoUrl"] == second["repoUrl"]
    assert [one.metrics for one in records] == [one.metrics for one in imported(again)]


def test_github_action_benchmark_of_our_own_runs() -> None:
    rate = metric(5.0, metric="achieved_rate", quantile=None, unit="per_s", direction=Direction.ABOVE)
    text = exported("github-action-benchmark", record(0, metric(), rate, metric(math.inf, quantile=0.99)))
    entries = json.loads(text.partition("=")[2])["entries"]
    assert {"agent-polling", "agent-polling (larger is better)"} == entries.keys()
    (entry,) = entries["agent-polling"]
    assert ("customSmallerIsBetter", f"{0:040x}") == (entry["tool"], entry["commit"]["id"])
    route = "/api/deployments/pending/{agent_id}"
    assert [{"name": f"{route} response_time p95", "unit": "s", "value": 0.012}] == entry["benches"]
    assert "customBiggerIsBetter" == entries["agent-polling (larger is better)"][0]["tool"]
