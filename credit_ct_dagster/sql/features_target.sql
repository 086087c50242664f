-- The merge of one base date, on SQLite and on MySQL/MariaDB. `:window_days` is every day that
-- exists between the two ends of the label window, so that calendar arithmetic happens in one place
-- (partitions.py), a date such as 2025-02-29 never matches, and an index on `date` serves the window.
-- Columns in braces are lists from modeling/schema.py, filled in by feature_store/statements.py.

-- name: expiring
-- The other base dates whose rows the merge deletes.
SELECT base_dt, COUNT(*) AS row_count
FROM credit_score_features_target
WHERE base_dt <= :last_expired AND base_dt <> :base_dt
GROUP BY base_dt
ORDER BY base_dt;

-- name: delete
DELETE FROM credit_score_features_target
WHERE base_dt IN :base_dts;

-- name: insert
-- Continued by `joined_rows`. Fails on the target's primary key where an id and customer_id have
-- several labels in the window or several feature rows; then `newest_only` is appended.
INSERT INTO credit_score_features_target ({merged_columns});

-- name: joined_rows
SELECT :base_dt AS base_dt, {label_keys}, {features}, label.credit_score
FROM credit_score AS label
INNER JOIN credit_score_features AS feature
    ON feature.id = label.id AND feature.customer_id = label.customer_id
WHERE label.date IN :window_days;

-- name: newest_only
-- Continues `joined_rows`. One row per id and customer_id: of several labels in the window the newest,
-- of several feature rows the newest that is not dated after the base date, or else the oldest.
    AND NOT EXISTS (
        SELECT 1
        FROM credit_score AS newer
        WHERE newer.id = label.id AND newer.customer_id = label.customer_id
            AND newer.date > label.date AND newer.date IN :window_days
    )
    AND NOT EXISTS (
        SELECT 1
        FROM credit_score_features AS better
        WHERE better.id = feature.id AND better.customer_id = feature.customer_id
            AND (
                (better.date <= :base_dt AND (better.date > feature.date OR feature.date > :base_dt))
                OR (better.date > :base_dt AND better.date < feature.date)
            )
    );

-- name: label_dates
-- Labels per date between the two ends, as text: 2025-02-29 sorts between two days that exist.
SELECT date, COUNT(*) AS row_count
FROM credit_score
WHERE date BETWEEN :window_start AND :window_end
GROUP BY date
ORDER BY date;

-- name: joined
-- Before `newest_only` is applied: pairs of a label and a feature row, and labels without features.
SELECT
    COUNT(feature.id) AS pairs,
    COALESCE(SUM(CASE WHEN feature.id IS NULL THEN 1 ELSE 0 END), 0) AS labels_without_features
FROM credit_score AS label
LEFT JOIN credit_score_features AS feature
    ON feature.id = label.id AND feature.customer_id = label.customer_id
WHERE label.date IN :window_days;
