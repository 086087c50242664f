#!/usr/bin/env bash
# The users of 2-rights.sql, with the passwords of the stack's secrets. Runs once, on an empty volume.
set -euo pipefail

MYSQL_PWD=$(cat "$MARIADB_ROOT_PASSWORD_FILE")
export MYSQL_PWD
# Some packages of MariaDB come with a user without a name, who stands before the others on localhost.
mariadb --user=root --execute="DROP USER IF EXISTS ''@'localhost', ''@'$(hostname)'"
for user in feature_store feature_loader dagster mlflow optuna serving; do
  password=$(sed -e 's/\\/\\\\/g' -e "s/'/''/g" "/run/secrets/${user}_password")
  printf "CREATE USER IF NOT EXISTS '%s'@'%%' IDENTIFIED BY '%s';\n" "$user" "$password"
done | mariadb --user=root
