"""HTTP/3 on asyncio, over `qcore`: `Client` and a server of requests."""
