// Charts: what a pointer and keys add to them. The drawing itself comes from the server.
