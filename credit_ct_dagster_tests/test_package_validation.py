"""A package that does not serve as the pipeline predicts never becomes the champion."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import pytest

from credit_ct_dagster.assets import bentoml_model
from credit_ct_dagster.contracts.decision import Decision, DecisionRecord, Ground
from credit_ct_dagster.contracts.golden import GoldenRow, GoldenRows
from credit_ct_dagster.contracts.identity import ModelIdentity
from credit_ct_dagster.contracts.package import PackageRecord
from credit_ct_dagster.contracts.scorer import ScorerRecord
from credit_ct_dagster.errors.models import PackageDoesNotServeError
from credit_ct_dagster.resources.package_validation import PackageValidation
from credit_ct_dagster.scorer.scorer import MODEL_FILE, Scorer
from credit_ct_dagster.serving.server import validation
from credit_ct_dagster.wiring import Wiring
from credit_ct_dagster_tests.platform import (
    BASE_DT,
    NO_FLOORS,
    Platform,
    failure_of,
    metadata_of,
)
from credit_ct_dagster_tests.resources.packages import any_data, any_model
from credit_ct_dagster_tests.serving.server import crashing_server
from credit_ct_dagster_tests.trained import Trained

pytestmark = pytest.mark.integration

_PACKAGED = dg.AssetSelection.assets("bentoml_model", "champion_model")
_PROMOTED = Decision(promoted=True, ground=Ground.person, sentence="Promoted.")


def _without_champion(platform: Platform) -> None:
    """As before the first decision."""
    platform.tracking.client.delete_registered_model(platform.model_name)
    platform.packages.set_roles({})
    shutil.rmtree(platform.folder / "artifacts" / "promotions")


def _with_wrong_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on packages have another scale than the pipeline: in the file and in its hash."""
    right: Callable[..., ScorerRecord] = bentoml_model.scorer_record

    def wrong(**facts: object) -> ScorerRecord:
        record = right(**facts)
        scale = record.scales["outstanding_debt"]
        changed = scale.model_copy(update={"scale": (scale.scale or 1.0) * 3})
        return record.model_copy(update={"scales": {**record.scales, "outstanding_debt": changed}})

    monkeypatch.setattr(bentoml_model, "scorer_record", wrong)


def _decided(
    trained: Trained, selection: dg.AssetSelection = _PACKAGED
) -> tuple[DecisionRecord, dg.ExecuteInProcessResult]:
    """Decide on the model of the base date; its package is started as a server."""
    platform = trained.platform
    by_server = platform.settings.model_copy(update={"package_validation": "server"})
    result = platform.materialize(
        trained.instance,
        selection=selection,
        config={"champion_model": {"config": NO_FLOORS}},
        promotions=Wiring(by_server).promotions,
    )
    assert result.success, failure_of(result)
    return platform.promotions.records()[-1], result


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that were started to serve packages."""
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def recorded(command: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = popen(command, **options)  # type: ignore[call-overload]
        if validation._SERVER in command:
            started.append(process)
        return process

    monkeypatch.setattr(validation.subprocess, "Popen", recorded)
    return started


def test_a_server_that_was_started_ahead_ends_with_the_run(
    trained: Trained, servers: list[subprocess.Popen[bytes]]
) -> None:
    """It is started once; a gate that does not promote validates nothing, and leaves none."""
    by_server = trained.platform.settings.model_copy(update={"package_validation": "server"})
    with dg.build_resources({"promotions": Wiring(by_server).promotions}) as resources:
        resources.promotions.validation.start_ahead()
        resources.promotions.validation.start_ahead()
        [server] = servers
        assert server.poll() is None
    assert server.returncode is not None


def test_a_server_that_cannot_be_started_fails_the_validation_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A search that has taken hours does not fail because there is no loopback network."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(validation.socket, "create_server", refuse)
    found = PackageValidation()
    found.start_ahead()
    model = ModelIdentity(
        base_dt=BASE_DT, mlflow_run_id="run", dagster_run_id="run", data_fingerprint="f" * 32
    )
    scorer = Scorer(any_model(), any_data().model_dump(mode="json"))
    with pytest.raises(OSError, match="no network"):
        found.require_serves(model, nullcontext(Path()), _golden("Poor"), scorer)


def test_the_gate_promotes_what_serves_and_nothing_else(
    trained_copy: Trained,
    servers: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Packages are started as servers; a wrong scale is refused, on record, until mended."""
    platform = trained_copy.platform
    _without_champion(platform)
    with monkeypatch.context() as patch:
        _with_wrong_scale(patch)
        record, result = _decided(trained_copy)
        decision = record.decision
        assert (decision.promoted, decision.ground) == (False, Ground.package_does_not_serve)
        assert decision.by_evidence == Ground.first
        assert decision.sentence.startswith(
            f"Not promoted: Package {record.model.bentoml_tag} of base date {BASE_DT} does not"
            " serve as the pipeline predicts: "
        )
        assert "golden rows get another answer than the pipeline's" in decision.sentence
        assert metadata_of(result, "champion_model")["decision"] == decision.sentence
        assert platform.promotions.champion() is None
        refused = platform.command(
            "promote", "--partition", BASE_DT, "--by", "Kim", "--reason", "I insist"
        )
        assert refused.exit_code != 0
        assert "CT-PACKAGE-6" in refused.output
        assert platform.promotions.champion() is None
    record, result = _decided(trained_copy)
    assert (record.decision.promoted, record.decision.ground) == (True, Ground.first)
    assert platform.promotions.champion() == record.model
    rows = record.decision.golden_rows
    assert metadata_of(result, "champion_model")["served_golden_rows"] == f"{rows} of {rows}"
    # The one that was started while the model was packaged is the one that was asked.
    assert len(servers) == 2
    assert all(each.returncode is not None for each in servers)


def test_a_package_that_cannot_start_is_not_promoted(
    trained_copy: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence has the exit code of its server; a retry decides the same, and adds nothing."""
    _without_champion(trained_copy.platform)
    monkeypatch.setattr(validation, "_SERVER", crashing_server.__name__)
    record, _ = _decided(trained_copy)
    assert record.decision.ground == Ground.package_does_not_serve
    assert ": its server ended with exit code 3 (" in record.decision.sentence
    assert _decided(trained_copy, dg.AssetSelection.assets("champion_model"))[0] == record
    assert trained_copy.platform.promotions.champion() is None


def test_the_champion_is_not_packaged_again_as_something_that_does_not_serve(
    trained_copy: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new package of the champion serves without a decision: it is validated too."""
    platform = trained_copy.platform
    champion = platform.promotions.champion()
    _with_wrong_scale(monkeypatch)
    result = platform.materialize(trained_copy.instance, selection=_PACKAGED)
    assert "does not serve as the pipeline predicts" in failure_of(result)
    assert platform.promotions.champion() == champion
    assert len(platform.promotions.records()) == 1


def test_a_package_without_golden_rows_is_started_all_the_same(
    trained_copy: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    """It must answer typical customers: a person cannot promote what does not start."""
    platform = trained_copy.platform
    champion = platform.promotions.champion()
    assert champion is not None
    found = platform.promotions.load(champion)
    model = (platform.packages.scorer_folder(champion.bentoml_tag) / MODEL_FILE).read_bytes()
    identity = champion.model_copy(update={"dagster_run_id": "early", "package_sha256": ""})
    tag = platform.packages.save(model, found.data, identity, found.record, metadata={})
    early = identity.model_copy(update={"bentoml_tag": tag})
    by_server = platform.settings.model_copy(update={"package_validation": "server"})
    promotions = Wiring(by_server).promotions
    assert promotions.require_serves(early) is None
    assert "was not asked any golden rows, only typical customers" in caplog.text
    code = platform.packages.scorer_folder(tag) / "code" / "scorer.py"
    code.write_text(f"{code.read_text()}\nraise RuntimeError('no such library')\n")
    with pytest.raises(PackageDoesNotServeError, match="it fails with RuntimeError: no such"):
        promotions.require_serves(early)


def _golden(credit_score: str) -> GoldenRows:
    shares = {"Poor": 0.1, "Standard": 0.1, "Good": 0.8}
    row = GoldenRow(
        kind="typical", features={"x": 2.0}, credit_score=credit_score, probabilities=shares
    )
    return GoldenRows(rows=[row])


def _promoted(platform: Platform, base_dt: str, golden: GoldenRows | None) -> ModelIdentity:
    """A model that a person promoted, whatever its package answers."""
    tracking = platform.tracking
    run_id = tracking.client.create_run(tracking.experiment_id()).info.run_id
    identity = ModelIdentity(
        base_dt=base_dt, mlflow_run_id=run_id, dagster_run_id=base_dt, data_fingerprint="f" * 32
    )
    record = PackageRecord(seen_share=0.85, calibration="none", log_loss_per_calibration={})
    platform.packages.save(any_model(), any_data(), identity, record, metadata={}, golden=golden)
    with platform.promotions.deciding() as deciding:
        model = deciding.register(base_dt, run_id)
        deciding.record(model, _PROMOTED, by="Kim")
    return model


def test_a_rollback_to_a_package_that_does_not_serve_is_refused(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing moves; one of an earlier release, without golden rows, passes with a warning."""
    _promoted(platform, "2025-03-01", None)
    bad = _promoted(platform, "2025-03-02", _golden("Poor"))
    champion = _promoted(platform, "2025-03-03", None)
    arguments = ("rollback", "--by", "Kim", "--reason", "complaints")
    refused = platform.command(*arguments)
    assert refused.exit_code != 0
    assert f"Package {bad.bentoml_tag} of base date 2025-03-02 does not serve" in " ".join(
        refused.output.split()
    )
    assert platform.promotions.champion() == champion
    assert platform.promotions.previous() == bad
    assert len(platform.promotions.records()) == 3
    legacy = _promoted(platform, "2025-03-04", None)
    _promoted(platform, "2025-03-05", None)
    assert platform.command(*arguments).exit_code == 0
    assert platform.promotions.champion() == legacy
    assert "was not asked any golden rows" in caplog.text
