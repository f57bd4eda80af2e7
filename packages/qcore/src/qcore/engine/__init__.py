"""The connection engine without I/O."""
