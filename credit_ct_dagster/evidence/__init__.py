"""What assets decide and report by, gathered from the stores and from Dagster's history."""
