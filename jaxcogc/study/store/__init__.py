"""The store of a study: an SQLite file of counted blocks."""
