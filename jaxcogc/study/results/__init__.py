"""What a store says: estimates with intervals, tables, single trials again."""
