"""What theory says of training when rounds fail."""
