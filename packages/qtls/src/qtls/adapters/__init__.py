"""What touches the machine: files, the system's roots, the clock."""
