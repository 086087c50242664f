-- Databases and tables, and the only rights that each user has in them. The users exist already.
-- `credit-ct rights` prints this, with the tables and columns that DATA_SCHEMA declares; for MySQL
-- with --mysql. On a server that is not the stack's own, a DBA creates the users and executes it.
-- Executed again after a release, it adds what is new, and changes nothing else.

CREATE DATABASE IF NOT EXISTS mlops CHARACTER SET utf8mb4;
CREATE DATABASE IF NOT EXISTS dagster CHARACTER SET utf8mb4;
CREATE DATABASE IF NOT EXISTS mlflow CHARACTER SET utf8mb4;
CREATE DATABASE IF NOT EXISTS optuna CHARACTER SET utf8mb4;
USE mlops;

-- The platform reads labels and features, and replaces training rows. With CREATE, the right can be
-- granted before the table exists; whoever needs the table first creates it. With ALTER, the first
-- merge of a release that has a new feature adds its column.
GRANT SELECT ON mlops.* TO 'feature_store'@'%';
GRANT INSERT, DELETE, CREATE, ALTER ON mlops.credit_score_features_target TO 'feature_store'@'%';
GRANT INSERT, DELETE, CREATE ON mlops.credit_customer_scores TO 'feature_store'@'%';

-- Sensors and `credit-ct load` add to the ledger of arrivals; nobody changes or deletes a line.
GRANT INSERT, CREATE ON mlops.credit_arrivals TO 'feature_store'@'%';
GRANT INSERT, CREATE ON mlops.credit_arrivals TO 'feature_loader'@'%';

-- `credit-ct load` writes labels and features, and no training rows.
GRANT SELECT ON mlops.* TO 'feature_loader'@'%';
GRANT INSERT, UPDATE, CREATE, INDEX ON mlops.credit_score TO 'feature_loader'@'%';
GRANT INSERT, UPDATE, CREATE, INDEX ON mlops.credit_score_features TO 'feature_loader'@'%';
GRANT CREATE ON mlops.credit_score_features_target TO 'feature_loader'@'%';

-- Each creates and migrates the tables of a database of its own.
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, DROP
  ON dagster.* TO 'dagster'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, DROP, TRIGGER
  ON mlflow.* TO 'mlflow'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, DROP
  ON optuna.* TO 'optuna'@'%';

-- The log of the service.
CREATE TABLE IF NOT EXISTS credit_predictions (
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
CREATE TABLE IF NOT EXISTS credit_score_features (
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
);

-- The service looks features up, and adds to its log; it changes and deletes nothing. It cannot
-- read personal data (name, ssn), labels, training rows and scores.
-- REFERENCES shows it how the tables are defined, and no row. When a release adds a feature,
-- execute this again once the table has the column.
GRANT REFERENCES ON mlops.* TO 'serving'@'%';
GRANT SELECT (
  id,
  customer_id,
  date,
  age,
  occupation,
  annual_income,
  monthly_inhand_salary,
  num_bank_accounts,
  num_credit_card,
  interest_rate,
  num_of_loan,
  type_of_loan,
  delay_from_due_date,
  num_of_delayed_payment,
  changed_credit_limit,
  num_credit_inquiries,
  credit_mix,
  outstanding_debt,
  credit_utilization_ratio,
  credit_history_age,
  payment_of_min_amount,
  total_emi_per_month,
  amount_invested_monthly,
  payment_behaviour,
  monthly_balance
) ON mlops.credit_score_features TO 'serving'@'%';
GRANT SELECT, INSERT ON mlops.credit_predictions TO 'serving'@'%';

-- `credit-ct prune` deletes predictions that are older than PREDICTIONS_KEEP_DAYS.
GRANT DELETE ON mlops.credit_predictions TO 'feature_store'@'%';
