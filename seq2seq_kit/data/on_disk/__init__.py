"""Rows that stay in a Parquet file."""
