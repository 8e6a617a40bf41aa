"""What was said in single requests, kept for a bug report where the operator wants it, and never else."""
