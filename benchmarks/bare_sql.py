"""The merge of a base date in hand-written SQL, for MySQL and MariaDB."""

from credit_ct_dagster.modeling import schema

_FEATURES = ", ".join(f"f.{name}" for name in schema.FEATURES)


_NEWEST_KNOWN = """
WHERE f.date = (SELECT MAX(known.date) FROM credit_score_features known
                WHERE known.id = l.id AND known.customer_id = l.customer_id
                  AND known.date <= l.date)"""


def merge_statements(base_dt: str, *, histories: bool = False) -> list[str]:
    """Delete the rows of a base date and the expired ones, then insert the joined rows.

    Args:
        base_dt: The base date.
        histories: Whether an id has several feature rows, of which the newest that is not dated
            after the label is joined. Without, the date of the features is not looked at.
    """
    return [
        f"""
DELETE FROM credit_score_features_target
WHERE base_dt <= DATE_FORMAT(DATE_SUB('{base_dt}', INTERVAL 7 DAY), '%Y-%m-%d')
   OR base_dt = '{base_dt}'""",
        f"""
INSERT INTO credit_score_features_target ({", ".join(schema.MERGED_COLUMNS)})
SELECT '{base_dt}', l.id, l.customer_id, l.date, {_FEATURES}, l.credit_score
FROM credit_score_features f
JOIN (SELECT * FROM credit_score
      WHERE date BETWEEN DATE_SUB('{base_dt}', INTERVAL 1 MONTH) AND '{base_dt}') l
  ON f.id = l.id AND f.customer_id = l.customer_id{_NEWEST_KNOWN if histories else ""}""",
    ]
