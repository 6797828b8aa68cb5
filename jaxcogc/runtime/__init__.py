"""What the rest stands on: files written whole, devices, signals."""
