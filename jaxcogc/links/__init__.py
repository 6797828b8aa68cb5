"""The channel: who can hear whom, and who did."""
