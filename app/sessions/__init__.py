"""Conversations that the server remembers, for clients that send only what is new."""
