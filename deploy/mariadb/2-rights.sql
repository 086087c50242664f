-- Databases, and the only rights that each user has in them. The users exist already.
-- For MariaDB and MySQL. On a server that is not the stack's own, a DBA creates the users and runs this.

CREATE DATABASE IF NOT EXISTS mlops CHARACTER SET utf8mb4;
CREATE DATABASE IF NOT EXISTS dagster CHARACTER SET utf8mb4;
CREATE DATABASE IF NOT EXISTS mlflow CHARACTER SET utf8mb4;
CREATE DATABASE IF NOT EXISTS optuna CHARACTER SET utf8mb4;

-- The platform reads labels and features, and replaces training rows. With CREATE, the right can be
-- granted before the table exists; whoever needs the table first creates it. With ALTER, the first
-- merge of a release that has a new feature adds its column.
GRANT SELECT ON mlops.* TO 'feature_store'@'%';
GRANT INSERT, DELETE, CREATE, ALTER ON mlops.credit_score_features_target TO 'feature_store'@'%';
GRANT INSERT, DELETE, CREATE ON mlops.credit_customer_scores TO 'feature_store'@'%';

-- Sensors and `credit-ct load` add to the ledger of arrivals; nobody changes or deletes a line of it.
GRANT INSERT, CREATE ON mlops.credit_arrivals TO 'feature_store'@'%';
GRANT INSERT, CREATE ON mlops.credit_arrivals TO 'feature_loader'@'%';

-- `credit-ct load` writes labels and features, and no training rows.
GRANT SELECT ON mlops.* TO 'feature_loader'@'%';
GRANT INSERT, UPDATE, CREATE, INDEX ON mlops.credit_score TO 'feature_loader'@'%';
GRANT INSERT, UPDATE, CREATE, INDEX ON mlops.credit_score_features TO 'feature_loader'@'%';
GRANT CREATE ON mlops.credit_score_features_target TO 'feature_loader'@'%';

-- Each creates and migrates the tables of a database of its own.
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, DROP ON dagster.* TO 'dagster'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, DROP, TRIGGER ON mlflow.* TO 'mlflow'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, DROP ON optuna.* TO 'optuna'@'%';
