"""What is said of runs: documents, tables, replicates."""
