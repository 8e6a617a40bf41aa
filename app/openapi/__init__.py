"""This server's own description: the part of OpenAI's API that it speaks, as an OpenAPI document."""
