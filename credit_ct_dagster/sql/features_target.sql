-- The merge of one base date, on SQLite and on MySQL/MariaDB. `:window_days` is every day that
-- exists between the two ends of the label window, so that calendar arithmetic happens in one place
-- (partitions.py) and a date such as 2025-02-29 never matches; an index on `date` serves the window.
-- What stands in braces depends on the source tables as they are (feature_store/expressions.py).

-- name: expiring
-- The other base dates whose rows the merge deletes.
SELECT base_dt, COUNT(*) AS row_count
FROM {training_table}
WHERE base_dt <= :last_expired AND base_dt <> :base_dt
GROUP BY base_dt
ORDER BY base_dt;

-- name: delete
DELETE FROM {training_table}
WHERE base_dt IN :base_dts;

-- name: insert
-- Continued by `joined_rows`. Fails on the target's primary key where an id and customer_id have
-- several labels in the window or several feature rows; then the newest ones are chosen.
INSERT INTO {training_table} ({merged_columns});

-- name: joined_rows
SELECT :base_dt AS base_dt, {label_keys}, {features}, {label_class} AS {target_column}
FROM {labels_table} AS label
INNER JOIN {features_table} AS feature
    ON {same_feature}
WHERE {label_in_window};

-- name: known_features
-- Continues `joined_rows` and `pairs` at a point in time: features dated on or before the label's day.
    AND {feature_is_known};

-- name: newest_labels
-- Continues a statement on labels: of several labels of an id and customer_id in the window the newest.
    AND NOT EXISTS (
        SELECT 1
        FROM {labels_table} AS newer
        WHERE {same_newer} AND newer.{date_column} > label.{date_column} AND {newer_in_window}
    );

-- name: newest_known_features
-- Continues `known_features`: of several feature rows the newest of those.
    AND NOT EXISTS (
        SELECT 1
        FROM {features_table} AS better
        WHERE {same_better} AND better.{date_column} > feature.{date_column} AND {better_is_known}
    );

-- name: newest_features
-- Continues `joined_rows` without a point in time: of several feature rows the newest that is not
-- dated after the base date, or else the oldest. One without a date is neither newer nor older, and
-- counts only where there is no other.
    AND NOT EXISTS (
        SELECT 1
        FROM {features_table} AS better
        WHERE {same_better}
            AND (
                ({better_day} <= :base_dt AND (better.{date_column} > feature.{date_column} OR {feature_day} > :base_dt))
                OR ({better_day} > :base_dt AND better.{date_column} < feature.{date_column})
                OR (better.{date_column} IS NOT NULL AND feature.{date_column} IS NULL)
            )
    );

-- name: label_dates
-- Labels per day between the two ends, as text: 2025-02-29 sorts between two days that exist.
SELECT {label_day} AS day, COUNT(*) AS row_count
FROM {labels_table} AS label
WHERE {label_between}
GROUP BY {label_day}
ORDER BY {label_day};

-- name: pairs
-- Of a label and a feature row, before the newest ones are chosen.
SELECT COUNT(*)
FROM {labels_table} AS label
INNER JOIN {features_table} AS feature
    ON {same_feature}
WHERE {label_in_window};

-- name: labels_without_features
SELECT COUNT(*)
FROM {labels_table} AS label
WHERE {label_in_window}
    AND NOT EXISTS (SELECT 1 FROM {features_table} AS feature WHERE {same_feature});

-- name: number_of_labels
SELECT COUNT(*) FROM {labels_table} AS label WHERE {label_in_window};

-- name: days_of_labels
-- Of each label its day, and that of its first feature row.
SELECT
    {label_day} AS label_day,
    (SELECT MIN({feature_day}) FROM {features_table} AS feature WHERE {same_feature})
        AS feature_day
FROM {labels_table} AS label
WHERE {label_in_window};

-- name: only_later_features
-- Continues both, then `newest_labels`: a label that is passed over for a newer one needs no features.
    AND EXISTS (SELECT 1 FROM {features_table} AS feature WHERE {same_feature})
    AND NOT EXISTS (
        SELECT 1 FROM {features_table} AS feature WHERE {same_feature} AND {feature_is_known}
    );

-- name: at_most
LIMIT :most;

-- name: keys_without_features
SELECT {label_keys}
FROM {labels_table} AS label
WHERE {label_in_window}
    AND NOT EXISTS (SELECT 1 FROM {features_table} AS feature WHERE {same_feature})
LIMIT :most;

-- name: feature_keys
SELECT {feature_keys}
FROM {features_table} AS feature
LIMIT :most;

-- name: repeated_labels
-- Labels in the window that have the whole key of another one.
SELECT COALESCE(SUM(row_count - 1), 0)
FROM (
    SELECT COUNT(*) AS row_count
    FROM {labels_table} AS label
    WHERE {label_in_window}
    GROUP BY {label_group}
) AS groups_of_labels;

-- name: repeated_features
SELECT COALESCE(SUM(row_count - 1), 0)
FROM (
    SELECT COUNT(*) AS row_count
    FROM {features_table} AS feature
    GROUP BY {feature_group}
) AS groups_of_features;

-- name: newest_dates
SELECT DISTINCT {label_day} AS day
FROM {labels_table} AS label
WHERE label.{date_column} < :until_before
ORDER BY day DESC;

-- name: labels_of_day
SELECT COUNT(*) FROM {labels_table} AS label WHERE {label_on_day};

-- name: features_of_day
SELECT COUNT(*) FROM {features_table} AS feature WHERE {feature_on_day};

-- name: unreadable_dates
SELECT COUNT(*) FROM {labels_table} AS label WHERE {label_day} NOT LIKE '____-__-__';

-- name: unreadable_feature_dates
SELECT COUNT(*) FROM {features_table} AS feature WHERE {feature_day} NOT LIKE '____-__-__';
