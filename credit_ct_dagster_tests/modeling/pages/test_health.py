"""The page on the champion's health: sentences first, nothing hidden, nothing loaded."""

import html
import re
from datetime import timedelta

import pytest

from credit_ct_dagster.contracts.health import DayFigures, HealthRecord, Severity
from credit_ct_dagster.modeling.pages.health import HealthPage
from credit_ct_dagster_tests.modeling.watching import healths

_RUN, _ASSET = "https://dagster/runs/run-1", "https://dagster/assets/champion_health"


def _page(record: HealthRecord, performance_url: str | None = None) -> str:
    return HealthPage(record, _RUN, _ASSET, performance_url).html()


def _read(page: str, section: str | None = None) -> str:
    """What a person reads, of the page or of a section."""
    if section:
        [page] = re.findall(rf'<section id="{section}".*?</section>', page, flags=re.DOTALL)
    text = re.sub(r"<(style|title|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def test_sentences_come_first_and_the_worst_is_on_top() -> None:
    """Then what is open with its command, what changed, and only then the plots."""
    page = _page(healths.record())
    ids = re.findall(r'<section id="([a-z0-9-]+)"', page)
    assert ids == [
        "sentences", "decisions", "changes", "volume", "latency", "classes-1", "classes-2",
        "accuracy", "macro-f1", "coverage", "skew", "serving",
    ]  # fmt: skip
    assert page.index("<svg") > page.index('id="changes"')
    read = _read(page, "sentences")
    assert read.startswith("How it is critical skew On 2025-03-04, served features disagree")
    assert "Look at who sends these features." in read
    assert "CT-CHECK-SERVED-FEATURES-AGREE-WITH-THE-STORE: docs/runbook.md#ct-check" in read
    assert "Somebody has to act now 1 critical" in _read(page)
    assert "credit-ct rollback --by NAME --reason TEXT" in _read(page, "decisions")
    assert "New: skew (critical" in _read(page, "changes")


_KNOWN = healths.labelled_day()
_MORE = {"Poor": 100, "Standard": 100, "Good": 100}


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (
            _KNOWN,
            "90 of 400 answers have a label (22.5%). Accuracy 0.710 (0.650 to 0.770), macro-F1"
            " 0.690 (0.620 to 0.750). By the probabilities of all, the accuracy would be 0.740"
            " (0.700 to 0.780).",
        ),
        (
            _KNOWN.model_copy(
                update={
                    "volumes": (healths.volume(tag="m:1"), healths.volume(_MORE)),
                    "estimated_accuracy": None,
                }
            ),
            "90 of 400 answers have a label (22.5%). Accuracy of m:2 0.710 (0.650 to 0.770),"
            " macro-F1 0.690 (0.620 to 0.750).",
        ),
        (
            _KNOWN.model_copy(update={"labelled": 9, "accuracy": None, "macro_f1": None}),
            "9 of 400 answers have a label (2.2%). They are of too few customers to say how right"
            " the answers were.",
        ),
        (
            _KNOWN.model_copy(update={"labelled": 0, "accuracy": None, "macro_f1": None}),
            "0 of 400 answers have a label (0.0%).",
        ),
    ],
)
def test_what_labels_have_said_since_follows_the_sentences(day: DayFigures, said: str) -> None:
    """As of the newest record, which it links; the rest of the page is of its own day."""
    made_at = healths.NOW + timedelta(days=2)
    newest = healths.record(base_dt="2025-03-06", days=(day,), made_at=made_at)
    page = HealthPage(healths.record(), _RUN, _ASSET, newest=newest, newest_url="/2025-03-06")
    read = _read(page.html(), "since")
    assert read == (
        f"What is known by now {said} As of 2025-03-07 09:31 Asia/Seoul, when 2025-03-06 was"
        " looked at. All else on this page is as of 2025-03-05 09:31 Asia/Seoul."
    )
    ids = re.findall(r'<section id="([a-z0-9-]+)"', page.html())
    assert ids[:3] == ["sentences", "since", "decisions"]


def test_of_a_day_that_no_newer_record_knows_nothing_is_added() -> None:
    """Nor of the newest day itself, nor of one without answers."""
    record, made_at = healths.record(), healths.NOW + timedelta(days=2)
    for days in ((), (DayFigures(day=healths.DAY),)):
        newer = healths.record(days=days, made_at=made_at)
        assert HealthPage(record, _RUN, _ASSET, newest=newer).since is None
    assert HealthPage(record, _RUN, _ASSET, newest=record).since is None


def test_the_page_needs_no_other_file_and_runs_nothing() -> None:
    """It is read from a phone, over any connection, and by whoever forbids scripts."""
    page = _page(healths.record())
    assert "<script" not in page
    assert "src=" not in page
    assert "@import" not in page
    assert set(re.findall(r'href="([^"]+)"', page)) == {_RUN, _ASSET}
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_codes_link_to_a_runbook_that_has_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place in the repository is named only: it leads nowhere from the page."""
    monkeypatch.setenv("RUNBOOK_URL", "https://wiki/runbook")
    links = re.findall(r'href="([^"]+)"', _page(healths.record(), "served_performance.html"))
    code = "ct-check-served-features-agree-with-the-store"
    assert f"https://wiki/runbook#{code}" in links
    assert "served_performance.html" in links


def test_values_are_escaped() -> None:
    """A tag, or what a server says, cannot become a part of the page."""
    hostile = healths.sentence(Severity.critical, text="<script>alert(1)</script>")
    service = healths.service(tag="<img>", url="http://x/<b>")
    page = _page(healths.record(sentences=(hostile,), service=service))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<b>" not in page


def test_a_first_day_without_anything_has_a_page() -> None:
    """No answer, no label, no champion: it says so, without empty plots."""
    record = healths.record(
        champion=None, days=(), open_decisions=(), changes=("Nothing.",),
        sentences=(healths.sentence(Severity.ok),),
        service=healths.service(status="not running", instances=()),
    )  # fmt: skip
    page = _page(record)
    assert "Healthy nothing to do" in _read(page)
    assert "Neither measured nor estimated yet." in _read(page, "accuracy")
    assert "Nothing: the champion is not on probation" in _read(page, "decisions")
    for section in ("latency", "classes-1", "macro-f1", "coverage", "skew"):
        assert f'id="{section}"' not in page


def test_plots_show_every_day_and_where_another_package_answered() -> None:
    """A day without a value is a gap, and the change of the model a line."""
    days = list(healths.record().days)
    days[10:] = [
        each.model_copy(update={"volumes": (healths.volume(tag="m:3"),)}) for each in days[10:]
    ]
    page = HealthPage(healths.record(days=tuple(days)), _RUN, _ASSET)
    assert page.changed_days == [days[10].day]
    assert page.accuracy is not None
    assert len(re.findall("<circle|<polygon", page.accuracy)) == 20 + 12
    assert page.accuracy.count('class="mark"') == 1
    assert "another package answered" in page.accuracy
    assert page.latency is not None
    assert len(re.findall("<circle|<polygon", page.latency)) == 3 * 20
