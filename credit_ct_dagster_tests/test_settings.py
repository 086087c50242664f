"""The environment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from credit_ct_dagster.errors import CreditCtError
from credit_ct_dagster.settings import Settings, get_settings


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Settings, "export", lambda self: None)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_defaults_need_no_server() -> None:
    """Without a variable, everything is embedded."""
    settings = get_settings()
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
    settings = get_settings()
    assert settings.model_name == "from_environment"
    assert settings.artifacts_path == "elsewhere"


@pytest.mark.parametrize(("text", "days"), [("none", None), ("None", None), ("30", 30)])
def test_retention_is_days_or_none(
    monkeypatch: pytest.MonkeyPatch, text: str, days: int | None
) -> None:
    """The word `none` keeps every base date."""
    monkeypatch.setenv("RETENTION_DAYS", text)
    assert get_settings().retention_days == days


def test_recipients_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """MAIL_TO takes a list as people write it."""
    monkeypatch.setenv("MAIL_TO", "a@example.com, b@example.com")
    assert get_settings().mail_to == ["a@example.com", "b@example.com"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RETENTION_DAYS", "0"),
        ("MODEL_NAME", "../up"),
        ("PARTITIONS_START", "soon"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_an_unusable_value_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The message names the variable; a value may be a secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(CreditCtError, match=name) as refused:
        get_settings()
    assert value not in str(refused.value).replace("Asia/Seoul", "")


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings can be logged."""
    monkeypatch.setenv("FEATURE_STORE_URL", "mysql+pymysql://user:hush@host/mlops")
    assert "hush" not in repr(get_settings())


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
        (
            "MLFLOW_TRACKING_URI",
            "http://host:5000",
            "http://host:5000 down",
            "http://host:5000 down",
        ),
        ("FEATURE_STORE_URL", "sqlite:///a.db", "sqlite:///a.db is gone", "sqlite:///a.db is gone"),
    ],
)
def test_a_text_can_be_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, secret: str, leak: str, shown: str
) -> None:
    """Passwords and secret URLs go, whatever wrote them; the rest stays."""
    monkeypatch.setenv(variable, secret)
    assert get_settings().redacted(leak) == shown
