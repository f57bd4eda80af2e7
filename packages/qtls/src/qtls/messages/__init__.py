"""Handshake messages: one module each, parsed from and encoded to whole messages with their 4-byte header."""
