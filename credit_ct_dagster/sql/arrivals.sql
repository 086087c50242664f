-- The ledger of arrivals, on SQLite and on MySQL/MariaDB. What stands in braces depends on the source
-- tables as they are (feature_store/arrival_lines.py); hashes are computed by the database.

-- name: record
-- Rows that are new or that changed. The ledger has one line per state of a row, and loses none.
INSERT INTO credit_arrivals (
    table_name, {id_column}, {customer_column}, {date_column}, fingerprint, first_seen, since_the_beginning
)
SELECT {distinct}
    :table_name, {id}, {customer}, {day}, {fingerprint}, :first_seen, :since_the_beginning
FROM {table} AS source
LEFT JOIN credit_arrivals AS seen ON {same_line}
WHERE seen.first_seen IS NULL AND {is_dated} AND {in_range};

-- name: end_of_piece
SELECT source.{id_column}
FROM {table} AS source
WHERE {in_range}
ORDER BY source.{id_column}
LIMIT 1 OFFSET :rows;

-- name: label_delays
-- Of labels that were first seen lately: the days that they are dated, and the hours of arrival in UTC.
SELECT
    arrival.{date_column} AS day,
    SUBSTR(CAST(arrival.first_seen AS CHAR), 1, 13) AS seen_hour,
    COUNT(*) AS labels
FROM credit_arrivals AS arrival
WHERE arrival.table_name = '{labels_table}' AND arrival.first_seen >= :since
    AND arrival.since_the_beginning = 0
    AND NOT EXISTS ({earlier_line})
GROUP BY arrival.{date_column}, SUBSTR(CAST(arrival.first_seen AS CHAR), 1, 13);

-- name: changed_rows
SELECT arrival.table_name AS table_name, COUNT(*) AS changed
FROM credit_arrivals AS arrival
WHERE arrival.table_name IN ('{labels_table}', '{features_table}')
    AND arrival.first_seen >= :since
    AND EXISTS ({earlier_line})
GROUP BY arrival.table_name;

-- name: earlier_line
SELECT 1
FROM credit_arrivals AS earlier
WHERE earlier.table_name = arrival.table_name AND earlier.{id_column} = arrival.{id_column}
    AND earlier.{customer_column} = arrival.{customer_column} AND earlier.{date_column} = arrival.{date_column}
    AND earlier.first_seen < arrival.first_seen;

-- name: known_label
-- A condition on a label: that it had its class at that moment, or before the ledger began, or that the
-- ledger is not complete yet.
(
    EXISTS (
        SELECT 1
        FROM credit_arrivals AS seen
        WHERE {same_line} AND (seen.first_seen <= :known_at OR seen.since_the_beginning = 1)
    )
    OR NOT EXISTS (
        SELECT 1
        FROM credit_arrivals AS complete
        WHERE complete.table_name = '{labels_table}' AND complete.{id_column} = ''
            AND complete.{customer_column} = '' AND complete.{date_column} = ''
    )
);

-- name: label_digests
-- Per day of labels what changes whenever one of them does.
SELECT {label_day} AS day, COUNT(*) AS row_count, SUM({label_number}) AS digest
FROM {labels_table} AS label
WHERE {label_in_window}
GROUP BY {label_day};

-- name: feature_digests
-- The same for all feature rows of these labels, however old or new they are.
SELECT {label_day} AS day, COUNT(*) AS row_count, SUM({feature_number}) AS digest
FROM {labels_table} AS label
INNER JOIN {features_table} AS feature ON {same_feature}
WHERE {label_in_window}
GROUP BY {label_day};
