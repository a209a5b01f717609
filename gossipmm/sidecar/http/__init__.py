"""HTTP/1.1 over Unix sockets and TCP: the transport, which knows nothing of endpoints."""
