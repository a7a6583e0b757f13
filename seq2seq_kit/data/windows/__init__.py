"""Windows of a table: ranges of rows, prepared, in batches."""
