-- Reading the customers whose features are scored, on SQLite and on MySQL/MariaDB. What stands in
-- braces depends on the feature table as it is (feature_store/rows_to_score.py).

-- name: keys_of_day
-- By which the rows of a day are divided into ranges.
SELECT {id} AS range_key
FROM credit_score_features AS feature
WHERE {feature_on_day}
ORDER BY feature.id;

-- name: rows_of_day
SELECT {columns}
FROM credit_score_features AS feature
WHERE {feature_on_day} AND {feature_in_range};

-- name: number_of_day
SELECT COUNT(*) FROM credit_score_features AS feature WHERE {feature_on_day};

-- name: number_of_customers
SELECT COUNT(*)
FROM (
    SELECT 1 AS customer
    FROM credit_score_features AS earlier
    WHERE earlier.date < :day_after AND {earlier_is_a_day}
    GROUP BY {by_customer}
) AS customers;

-- name: keys_of_customers
-- One per customer; of customers whom the collation takes for one, only one.
SELECT MIN({customer}) AS range_key
FROM credit_score_features AS feature
WHERE feature.date < :day_after AND {feature_is_a_day}
GROUP BY feature.customer_id
ORDER BY feature.customer_id;

-- name: newest_rows
-- Of a customer all rows with the newest date; there are several if their ids differ.
SELECT {columns}
FROM credit_score_features AS feature
INNER JOIN (
    SELECT MIN(earlier.customer_id) AS customer_id, MAX(earlier.date) AS date
    FROM credit_score_features AS earlier
    WHERE earlier.date < :day_after AND {earlier_is_a_day} AND {earlier_in_range}
    GROUP BY {by_customer}
) AS newest ON {same_customer} AND feature.date = newest.date
WHERE {feature_in_range};
