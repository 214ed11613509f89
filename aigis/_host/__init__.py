"""What runs on one host: the supervisor, its children and their output."""
