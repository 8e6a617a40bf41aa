"""The proof of a `claude`: each promise this server makes, tried with the very executable before it is relied on."""
