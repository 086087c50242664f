-- The table of the prediction log, and the user of the HTTP service. The user exists already, and so
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

-- The service looks features up, and adds to its log; it changes and deletes nothing.
GRANT SELECT ON mlops.* TO 'serving'@'%';
GRANT INSERT ON mlops.credit_predictions TO 'serving'@'%';

-- `credit-ct prune` deletes predictions that are older than PREDICTIONS_KEEP_DAYS.
GRANT DELETE ON mlops.credit_predictions TO 'feature_store'@'%';
