"""The keys of callers, from the environment and from a file."""

from pathlib import Path

from credit_ct_dagster.errors.inputs import SettingsError

_LEAST_CHARACTERS = 16


def read_api_keys(separated_by_commas: str, file: Path | None) -> list[str]:
    """All keys, any of which opens the service: a new one is added before the old one is removed.

    Args:
        separated_by_commas: Of SERVING_API_KEYS.
        file: Of SERVING_API_KEYS_FILE, with a key per line; lines that begin with # are comments.

    Raises:
        SettingsError: The file cannot be read or holds no key, or a key is too short or cannot be
            sent in a header. No key is repeated.
    """
    keys = separated_by_commas.split(",")
    if file is not None:
        try:
            lines = file.read_text("utf8").splitlines()
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"SERVING_API_KEYS_FILE: {file} cannot be read ({type(error).__name__}). Correct"
                " the variable or the file, then try again."
            ) from None
        in_file = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not in_file:
            raise SettingsError(
                f"SERVING_API_KEYS_FILE: {file} holds no key. Write one per line, then try again."
            )
        keys += in_file
    found = [key.strip() for key in keys if key.strip()]
    for number, key in enumerate(found, start=1):
        if len(key) < _LEAST_CHARACTERS or not (key.isascii() and key.isprintable()) or " " in key:
            raise SettingsError(
                f"API key {number} of {len(found)} (SERVING_API_KEYS, SERVING_API_KEYS_FILE) cannot"
                f" be used: write at least {_LEAST_CHARACTERS} characters of ASCII without blanks,"
                " such as those of: openssl rand -hex 32."
            )
    return found
