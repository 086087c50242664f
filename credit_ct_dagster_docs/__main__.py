"""`python -m credit_ct_dagster_docs`: write the pages of `docs/reference`."""

from pathlib import Path

from credit_ct_dagster_docs.pages import PAGES

FOLDER = Path(__file__).parents[1] / "docs" / "reference"


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / f"{name}.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
