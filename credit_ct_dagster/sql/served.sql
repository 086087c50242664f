-- What one model answered, on SQLite and on MySQL/MariaDB: read, never changed. What stands in braces
-- depends on the tables and on the dialect (feature_store/served/tables.py); `:begins` and `:ends` are
-- the moments in UTC at which a prediction day begins and ends in Seoul.

-- name: requests_of_day
-- Of the features as scored only what slices are cut by: a document has some 700 characters.
SELECT
    prediction.request_id AS {key},
    prediction.{customer_column} AS {customer_column},
    prediction.feature_date AS feature_date,
    prediction.model_tag AS model_tag,
    prediction.{target_column} AS predicted,
    {probabilities} AS probabilities,
    prediction.latency_ms AS latency_ms,
    {answered_at} AS answered_at{logged_groups}
FROM credit_predictions AS prediction
WHERE {is_request_of_day} AND {request_in_sample};

-- name: scores_of_day
-- With the row of features that was scored, where it is still there.
SELECT
    score.{id_column} AS {id_column},
    score.{customer_column} AS {customer_column},
    score.{date_column} AS feature_date,
    score.model_tag AS model_tag,
    score.{target_column} AS predicted,
    {score_probabilities}{groups}
FROM credit_customer_scores AS score
{with_features}
WHERE {is_score_of_day} AND {score_in_sample};

-- name: labels
SELECT {label_id} AS {id_column}, {label_customer} AS {customer_column}, {label_day} AS day, {label_class} AS label
FROM {labels_table} AS label
WHERE {label_in_window} AND {label_in_sample} AND {label_is_known};

-- name: number_of_requests
SELECT COUNT(*) AS requests, COUNT(prediction.{customer_column}) AS of_customers
FROM credit_predictions AS prediction
WHERE {is_request_of_day};

-- name: hashes_of_requests
-- How many requests have a hash in each of 65,536 ranges.
SELECT {request_hash} >> 16 AS bucket, COUNT(*) AS answers
FROM credit_predictions AS prediction
WHERE {is_request_of_day} AND {may_be_of_nobody}
GROUP BY {request_hash} >> 16;

-- name: hashes_of_scores
SELECT {score_hash} >> 16 AS bucket, COUNT(*) AS answers
FROM credit_customer_scores AS score
WHERE {is_score_of_day}
GROUP BY {score_hash} >> 16;

-- name: logged_features
SELECT
    prediction.request_id AS {key},
    prediction.{customer_column} AS {customer_column},
    prediction.feature_date AS feature_date,
    {answered_at} AS answered_at,
    {logged_features} AS features
FROM credit_predictions AS prediction
WHERE {is_request_of_day} AND {may_be_of_nobody} AND {request_in_sample};

-- name: scored_features
SELECT {feature_columns}
FROM credit_customer_scores AS score
INNER JOIN {features_table} AS feature ON {is_row_of_score}
WHERE {is_score_of_day} AND {score_in_sample};

-- name: features_of_customers
-- Once per state in which the ledger saw the row.
SELECT {feature_columns}, {seen_at} AS seen_at
FROM {features_table} AS feature
{with_arrivals}
WHERE {feature_in_window} AND {feature_is_among};

-- name: volumes_of_requests
SELECT
    {prediction_day} AS day,
    prediction.model_tag AS model_tag,
    prediction.{target_column} AS predicted,
    {rounded_latency} AS latency_ms,
    COUNT(*) AS answers,
    {first_answered_at} AS first_time,
    {last_answered_at} AS last_time
FROM credit_predictions AS prediction
WHERE {is_request_of_day}
GROUP BY
    {prediction_day},
    prediction.model_tag,
    prediction.{target_column},
    {rounded_latency};

-- name: volumes_of_scores
SELECT
    score.base_dt AS day,
    score.model_tag AS model_tag,
    score.{target_column} AS predicted,
    COUNT(*) AS answers,
    {first_scored_at} AS first_time,
    {last_scored_at} AS last_time
FROM credit_customer_scores AS score
WHERE score.model_name = :model_name AND score.base_dt >= :first_day AND score.base_dt <= :last_day
GROUP BY score.base_dt, score.model_tag, score.{target_column};

-- name: arrived_label_days
SELECT DISTINCT arrival.{date_column} AS label_day
FROM credit_arrivals AS arrival
WHERE arrival.table_name = '{labels_table}' AND arrival.first_seen > :moment;

-- name: some_dates_of_requests
SELECT prediction.feature_date AS feature_date
FROM credit_predictions AS prediction
WHERE {is_request_of_day}
LIMIT :most;

-- name: some_dates_of_scores
SELECT score.{date_column} AS feature_date
FROM credit_customer_scores AS score
WHERE {is_score_of_day}
LIMIT :most;
