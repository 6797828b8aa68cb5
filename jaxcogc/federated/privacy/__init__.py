"""What the server learns, and masks that keep it from learning more than the sum."""
