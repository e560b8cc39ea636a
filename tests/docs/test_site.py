"""The documentation can be built without a warning, reads nothing from the net, and says of the program what is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from gateway import health
from gateway.metrics import METRICS
from tests.docs.reference import ROOT
from tests.docs.test_documents import DOCUMENTS, rows

OPERATIONS = ROOT / "docs/operations.md"
FROM_THE_NET = re.compile(r"(?:src|srcset)=\"(?:https?:)?//|<link[^>]*rel=\"stylesheet\"[^>]*href=\"(?:https?:)?//|@import\s+(?:url\()?[\"'](?:https?:)?//|url\([\"']?(?:https?:)?//")  # fmt: skip


def test_it_is_built_without_a_warning_and_reads_nothing_from_the_net(tmp_path: Path) -> None:
    made = tmp_path / "docs"
    recipe = re.search(
        r"^docs:.*\n\t\$\(BIN\)/python (.*) \. build/docs$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE
    )
    assert recipe, "`make docs` builds it"
    arguments = recipe[1].replace("build/", f"{tmp_path}/").split()
    built = subprocess.run(
        [sys.executable, *arguments, str(ROOT), str(made)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert (built.returncode, built.stderr) == (0, "")
    pages = {str(path.relative_to(made)): path.read_text("utf-8") for path in made.rglob("*.html")}
    assert {str(path.relative_to(ROOT).with_suffix(".html")) for path in DOCUMENTS} <= pages.keys()
    assert [name for name, text in pages.items() if FROM_THE_NET.search(text)] == []
    styles = [path for path in made.rglob("*.css") if FROM_THE_NET.search(path.read_text("utf-8", errors="replace"))]
    assert styles == []
    api = re.sub(r"<[^>]*>", "", pages["docs/api.html"])
    assert "POST /api/v1/alerts/{uid}/answers" in api
    assert 'class="highlight-python' in pages["docs/add-a-kind.html"], "the examples are on the page"


def test_operations_knows_every_reason_of_health() -> None:
    said = re.findall(r'reason="(\w+)"', Path(health.__file__).read_text("utf-8"))
    told = [row[0] for row in rows(OPERATIONS.read_text("utf-8"), "| reason |")]
    assert sorted(told) == sorted(set(said))


def test_prometheus_is_given_rules_about_metrics_that_there_are() -> None:
    rules = (ROOT / "deploy" / "prometheus-rules.yml").read_text("utf-8")
    named = set(re.findall(r"hjemmevakt_\w+", rules))
    known = {metric.name for metric in METRICS.registry.collect()}
    assert named
    assert {each for each in named if re.sub(r"_(bucket|total)$", "", each) not in known} == set()


def test_operations_knows_every_metric() -> None:
    told = [row[0] for row in rows(OPERATIONS.read_text("utf-8"), "| metric |")]
    assert sorted(told) == sorted(metric.name for metric in METRICS.registry.collect())
