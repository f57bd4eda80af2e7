"""HTTP/3 for others: ASGI applications, a file server, httpx transports."""
