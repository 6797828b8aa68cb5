"""Pictures and the report page; nothing else draws."""
