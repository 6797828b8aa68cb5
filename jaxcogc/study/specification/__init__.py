"""What a study asks for: the file, its grid of points, its stop rules."""
