"""The environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from credit_ct_dagster.errors.inputs import SettingsError
from credit_ct_dagster.redaction import redacted
from credit_ct_dagster.settings import Settings


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no `.env` lies yet."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_defaults_need_no_server() -> None:
    """Without a variable, everything is embedded."""
    settings = Settings.from_environment()
    assert settings.feature_store_url.get_secret_value() == "sqlite:///var/feature_store.db"
    assert settings.retention_days == 7
    assert settings.smtp_host is None
    assert settings.alert_webhook_url is None
    assert settings.log_format == "text"


def test_an_environment_variable_wins_over_the_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`.env` is read, and the environment overrides it."""
    (tmp_path / ".env").write_text("MODEL_NAME=from_file\nARTIFACTS_PATH=elsewhere\n")
    monkeypatch.setenv("MODEL_NAME", "from_environment")
    settings = Settings.from_environment()
    assert settings.model_name == "from_environment"
    assert settings.artifacts_path == "elsewhere"


@pytest.mark.parametrize(("text", "days"), [("none", None), ("None", None), ("30", 30)])
def test_retention_is_days_or_none(
    monkeypatch: pytest.MonkeyPatch, text: str, days: int | None
) -> None:
    """The word `none` retains every base date."""
    monkeypatch.setenv("RETENTION_DAYS", text)
    assert Settings.from_environment().retention_days == days


def test_recipients_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """MAIL_TO takes a list as people write it."""
    monkeypatch.setenv("MAIL_TO", "a@example.com, b@example.com")
    assert Settings.from_environment().mail_to == ["a@example.com", "b@example.com"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RETENTION_DAYS", "0"),
        ("MODEL_NAME", "../up"),
        ("PARTITIONS_START", "soon"),
        ("LOG_FORMAT", "xml"),
        ("COST_MATRIX", "0,2,5"),
        ("COST_MATRIX", "[[0, 1"),
        ("COST_MATRIX", "[" * 10_000),
        ("COST_MATRIX", '[[0, 1, "much"], [1, 0, 1], [2, 1, 0]]'),
    ],
)
def test_an_unusable_value_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The message names the variable; a value may be a secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as refused:
        Settings.from_environment()
    assert value not in str(refused.value).replace("Asia/Seoul", "")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_no_variable_ends_in_an_error_of_a_library(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever its type: text that is no JSON is taken as it is, or refused by the name."""
    monkeypatch.setenv(name.upper(), "{not json")
    refused = None
    try:
        Settings.from_environment()
    except SettingsError as error:
        refused = error
    if refused:
        assert refused.code == "CT-CONFIG-1"
        assert name.upper() in refused.sentence
        assert "not json" not in refused.sentence


@pytest.mark.parametrize("name", ["excluded_features", "protected_features", "mail_to"])
@pytest.mark.parametrize("word", ["none", "None", " NONE "])
def test_the_word_none_is_an_empty_list(
    monkeypatch: pytest.MonkeyPatch, name: str, word: str
) -> None:
    """In any letter case, as it is for days."""
    monkeypatch.setenv(name.upper(), word)
    assert getattr(Settings.from_environment(), name) == []


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings can be logged."""
    monkeypatch.setenv("FEATURE_STORE_URL", "mysql+pymysql://user:hush@host/mlops")
    assert "hush" not in repr(Settings.from_environment())


@pytest.mark.parametrize(
    ("variable", "secret", "leak", "shown"),
    [
        (
            "FEATURE_STORE_URL",
            "mysql+pymysql://u:h%40sh@db/x",
            "u:h%40sh@db, h@sh",
            "u:***@db, ***",
        ),
        ("MLFLOW_TRACKING_URI", "https://u:hush@host", "hush at host", "*** at host"),
        ("ALERT_WEBHOOK_URL", "https://host/T0/hush", "POST https://host/T0/hush", "POST ***"),
        ("SMTP_PASSWORD", "hush", "login with hush", "login with ***"),
        ("SERVING_API_KEYS", "hush,secret", "X-API-Key: secret, hush", "X-API-Key: ***, ***"),
        (
            "MLFLOW_TRACKING_URI",
            "http://host:5000",
            "http://host:5000 down",
            "http://host:5000 down",
        ),
        (
            "FEATURE_STORE_URL",
            "sqlite:///a.db",
            "sqlite:///a.db is missing",
            "sqlite:///a.db is missing",
        ),
    ],
)
def test_a_text_can_be_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, secret: str, leak: str, shown: str
) -> None:
    """Passwords and secret URLs are hidden, whatever wrote them; the rest is not."""
    monkeypatch.setenv(variable, secret)
    assert redacted(leak) == shown


def test_what_libraries_look_up_is_exported() -> None:
    """MLflow's password by its own variables, because MLflow prints the URI with every run."""
    settings = Settings(
        _env_file=None,
        mlflow_tracking_uri="https://user:h%40sh@host:5000",
        runbook_url="https://wiki/runbook",
    )
    exported = settings.exported()
    assert exported["MLFLOW_TRACKING_URI"] == "https://host:5000"
    assert exported["MLFLOW_TRACKING_USERNAME"] == "user"
    assert exported["MLFLOW_TRACKING_PASSWORD"] == "h@sh"
    assert exported["RUNBOOK_URL"] == "https://wiki/runbook"
    assert "ALERT_WEBHOOK_URL" not in exported
    assert Path(exported["BENTOML_HOME"]).is_absolute()


def test_a_process_is_set_up_once_and_visibly(tmp_path: Path) -> None:
    """Until then, importing the settings and wiring resources changes nothing."""
    script = (
        "import os; before = dict(os.environ)\n"
        "from credit_ct_dagster.entry_point import set_up_process\n"
        "from credit_ct_dagster.settings import Settings\n"
        "from credit_ct_dagster.wiring import Wiring\n"
        "Wiring(Settings()).resources(); assert dict(os.environ) == before\n"
        "set_up_process(); print(os.environ['FEATURE_STORE_URL'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "sqlite:///var/feature_store.db"
    assert "FEATURE_STORE_URL" not in os.environ
