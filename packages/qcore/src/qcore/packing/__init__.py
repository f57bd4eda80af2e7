"""From frames to packets to datagrams."""
