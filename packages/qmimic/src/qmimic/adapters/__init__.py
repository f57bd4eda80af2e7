"""Where this package meets others' interfaces: the command line, httpx."""
