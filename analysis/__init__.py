"""The samples: write path (`store`), partitions, retention, and read path (`series`, `export`)."""
