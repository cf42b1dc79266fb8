"""What people see who run commands."""
