"""Anthropic's own Messages API: https://docs.claude.com/en/api/messages ."""
