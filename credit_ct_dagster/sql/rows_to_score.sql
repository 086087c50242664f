-- Reading the customers whose features are scored, on SQLite and on MySQL/MariaDB. What stands in
-- braces depends on the feature table as it is (feature_store/rows_to_score.py).

-- name: keys_of_day
-- By which the rows of a day are divided into ranges.
SELECT {id} AS range_key
FROM {features_table} AS feature
WHERE {feature_on_day}
ORDER BY feature.{id_column};

-- name: rows_of_day
SELECT {columns}
FROM {features_table} AS feature
WHERE {feature_on_day} AND {feature_in_range};

-- name: number_of_day
SELECT COUNT(*) FROM {features_table} AS feature WHERE {feature_on_day};

-- name: number_of_customers
SELECT COUNT(*)
FROM (
    SELECT 1 AS customer
    FROM {features_table} AS earlier
    WHERE earlier.{date_column} < :day_after AND {earlier_is_a_day}
    GROUP BY {by_customer}
) AS customers;

-- name: keys_of_customers
-- One per customer; of customers whom the collation takes for one, only one.
SELECT MIN({customer}) AS range_key
FROM {features_table} AS feature
WHERE feature.{date_column} < :day_after AND {feature_is_a_day}
GROUP BY feature.{customer_column}
ORDER BY feature.{customer_column};

-- name: newest_rows
-- Of a customer all rows with the newest date; there are several if their ids differ.
SELECT {columns}
FROM {features_table} AS feature
INNER JOIN (
    SELECT MIN(earlier.{customer_column}) AS {customer_column}, MAX(earlier.{date_column}) AS {date_column}
    FROM {features_table} AS earlier
    WHERE earlier.{date_column} < :day_after AND {earlier_is_a_day} AND {earlier_in_range}
    GROUP BY {by_customer}
) AS newest ON {same_customer} AND feature.{date_column} = newest.{date_column}
WHERE {feature_in_range};
