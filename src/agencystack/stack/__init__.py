"""What is installed, how it is reached, and the secrets that open it."""
