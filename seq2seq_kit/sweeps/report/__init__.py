"""What a sweep shows: figures, tables, summary."""
