"""What every route shares: the gate, errors as JSON, request ids, streams and clients that leave."""
