"""What OpenAI's endpoints have in common: how a body is read, what an answer repeats, how a stream is put together."""
