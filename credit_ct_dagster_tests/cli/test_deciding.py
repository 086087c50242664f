"""Who decides, and why: what commands take as a name and a reason."""

import pytest
from click.testing import CliRunner

from credit_ct_dagster.cli.main import main


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--by", "", "NAME must not be blank"),
        ("--by", " \t\u00a0", "NAME must not be blank"),
        ("--by", "Retraining", "is a name of the platform's own"),
        ("--by", "Jo\x1b[31m", "NAME has characters that cannot be seen"),
        ("--by", "J\u200bo", "NAME has characters that cannot be seen"),
        ("--reason", " - ", "'-' has no letter: give a reason in words"),
        ("--by", ".", "'.' has no letter: give a name"),
        ("--reason", "fine \u202eeb ot", "TEXT has characters that cannot be seen"),
        ("--reason", "audit " * 400, "TEXT has 2,399 characters; 2,000 are possible"),
        ("--by", "Jo" * 51, "NAME has 102 characters; 100 are possible"),
        ("--by", "\uff47\uff41\uff54\uff45", "is a name of the platform's own"),
        ("--by", "ga\u200dte", "is a name of the platform's own"),
    ],
)
@pytest.mark.parametrize(
    "command", [("promote", "--partition", "2025-03-01"), ("rollback",), ("approve",), ("reject",)]
)
def test_a_decision_has_a_name_and_a_reason(
    command: tuple[str, ...], option: str, value: str, said: str
) -> None:
    """Not a blank one, one that looks like another, or a name of the platform's own."""
    given = {"--by": "Kim", "--reason": "complaints"} | {option: value}
    done = CliRunner().invoke(main, [*command, *(word for pair in given.items() for word in pair)])
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
