"""What another package adds to headstart."""
