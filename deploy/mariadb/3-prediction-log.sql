-- The table of the prediction log, and the rights of the HTTP service's user. The user exists already, and so
-- does the database. On a server that was set up before, a DBA creates the user and runs this.
-- For MariaDB; on MySQL, write utf8mb4_0900_bin instead of utf8mb4_nopad_bin.

CREATE TABLE IF NOT EXISTS mlops.credit_predictions (
  prediction_id BIGINT NOT NULL AUTO_INCREMENT,
  request_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  time DATETIME(6) NOT NULL,
  customer_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,
  feature_date VARCHAR(10),
  model_tag VARCHAR(200) NOT NULL,
  base_dt VARCHAR(10) NOT NULL,
  registered_version VARCHAR(32),
  credit_score VARCHAR(10) NOT NULL,
  is_most_probable BOOL NOT NULL,
  probabilities JSON NOT NULL,
  reasons JSON NOT NULL,
  compliance_flags JSON NOT NULL,
  warnings JSON NOT NULL,
  features JSON NOT NULL,
  latency_ms DOUBLE NOT NULL,
  record_version SMALLINT NOT NULL,
  PRIMARY KEY (prediction_id),
  CONSTRAINT credit_predictions_by_request UNIQUE (request_id),
  KEY credit_predictions_by_customer (customer_id),
  KEY credit_predictions_by_time (time)
) ENGINE=InnoDB CHARSET=utf8mb4;

-- As `credit-ct load` would create it: rights on columns need the table. An existing one stays as it is.
CREATE TABLE IF NOT EXISTS mlops.credit_score_features (
  id VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  customer_id VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  date VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  name VARCHAR(100),
  age FLOAT,
  ssn VARCHAR(20),
  occupation VARCHAR(50),
  annual_income FLOAT,
  monthly_inhand_salary FLOAT,
  num_bank_accounts FLOAT,
  num_credit_card FLOAT,
  interest_rate FLOAT,
  num_of_loan FLOAT,
  type_of_loan TEXT,
  delay_from_due_date FLOAT,
  num_of_delayed_payment FLOAT,
  changed_credit_limit FLOAT,
  num_credit_inquiries FLOAT,
  credit_mix VARCHAR(20),
  outstanding_debt FLOAT,
  credit_utilization_ratio FLOAT,
  credit_history_age FLOAT,
  payment_of_min_amount VARCHAR(10),
  total_emi_per_month FLOAT,
  amount_invested_monthly FLOAT,
  payment_behaviour VARCHAR(50),
  monthly_balance FLOAT,
  PRIMARY KEY (id, customer_id, date),
  KEY credit_score_features_by_customer (customer_id, date)
) ENGINE=InnoDB CHARSET=utf8mb4;

-- The service looks features up, and adds to its log; it changes and deletes nothing. It cannot read
-- the columns name and ssn, nor labels, training rows and scores. REFERENCES shows it how the tables are
-- defined, and no row. When a release adds a feature, run this again once the table has the column.
GRANT REFERENCES ON mlops.* TO 'serving'@'%';
GRANT SELECT (
  id, customer_id, date, age, occupation, annual_income, monthly_inhand_salary,
  num_bank_accounts, num_credit_card, interest_rate, num_of_loan, type_of_loan,
  delay_from_due_date, num_of_delayed_payment, changed_credit_limit, num_credit_inquiries,
  credit_mix, outstanding_debt, credit_utilization_ratio, credit_history_age,
  payment_of_min_amount, total_emi_per_month, amount_invested_monthly, payment_behaviour,
  monthly_balance
) ON mlops.credit_score_features TO 'serving'@'%';
GRANT SELECT, INSERT ON mlops.credit_predictions TO 'serving'@'%';

-- `credit-ct prune` deletes predictions that are older than PREDICTIONS_KEEP_DAYS.
GRANT DELETE ON mlops.credit_predictions TO 'feature_store'@'%';
