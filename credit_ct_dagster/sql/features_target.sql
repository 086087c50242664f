-- The merge of one base date, on SQLite and on MySQL/MariaDB. `:window_days` is every day that
-- exists between the two ends of the label window, so that calendar arithmetic happens in one place
-- (partitions.py), a date such as 2025-02-29 never matches, and an index on `date` serves the window.

-- name: expiring
-- The base dates whose rows the merge deletes besides its own.
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
INSERT INTO credit_score_features_target (
    base_dt, id, customer_id, date, age, occupation, annual_income, monthly_inhand_salary,
    num_bank_accounts, num_credit_card, interest_rate, num_of_loan, type_of_loan,
    delay_from_due_date, num_of_delayed_payment, changed_credit_limit, num_credit_inquiries,
    credit_mix, outstanding_debt, credit_utilization_ratio, credit_history_age,
    payment_of_min_amount, total_emi_per_month, amount_invested_monthly, payment_behaviour,
    monthly_balance, credit_score
);

-- name: joined_rows
SELECT
    :base_dt AS base_dt, label.id, label.customer_id, label.date, feature.age, feature.occupation,
    feature.annual_income, feature.monthly_inhand_salary, feature.num_bank_accounts,
    feature.num_credit_card, feature.interest_rate, feature.num_of_loan, feature.type_of_loan,
    feature.delay_from_due_date, feature.num_of_delayed_payment, feature.changed_credit_limit,
    feature.num_credit_inquiries, feature.credit_mix, feature.outstanding_debt,
    feature.credit_utilization_ratio, feature.credit_history_age, feature.payment_of_min_amount,
    feature.total_emi_per_month, feature.amount_invested_monthly, feature.payment_behaviour,
    feature.monthly_balance, label.credit_score
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
-- What the join alone gives: pairs of a label and a feature row, and labels that found none.
SELECT
    COUNT(feature.id) AS pairs,
    COALESCE(SUM(CASE WHEN feature.id IS NULL THEN 1 ELSE 0 END), 0) AS labels_without_features
FROM credit_score AS label
LEFT JOIN credit_score_features AS feature
    ON feature.id = label.id AND feature.customer_id = label.customer_id
WHERE label.date IN :window_days;
