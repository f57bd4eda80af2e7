"""What was sent, what was received, and what the peer knows of both."""
