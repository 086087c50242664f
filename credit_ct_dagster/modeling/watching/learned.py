"""Labels that a model may have learned from: what it says of them is no evidence."""

import pandas as pd


def is_evidence(label_dates: pd.Series, learned_until: str) -> pd.Series:
    """Whether labels came too late for a model to have learned from them.

    A model may have been fitted to labels up to the base date that it was trained or calibrated
    on, and a batch scores rows whose label is that old.

    Args:
        label_dates: `YYYY-MM-DD`; None where there is no label.
        learned_until: The newest base date that the model learned from.
    """
    return label_dates > learned_until


def learned_sentence(answers: int, learned_until: str | None, day: str) -> str:
    """That some labels do not count, for a person.

    Args:
        answers: Whose label does not count; 0 says nothing.
        learned_until: The newest base date that the model learned from; None if it is not known.
        day: The prediction day.
    """
    if not answers:
        return ""
    not_counted = f"The labels of {answers:,} more do not count:"
    if learned_until is None:
        return (
            f"{not_counted} up to which base date the model learned is not known, so only labels"
            f" dated after {day} are evidence."
        )
    return (
        f"{not_counted} dated up to {learned_until}, they are among what the model may have learned"
        " from."
    )
