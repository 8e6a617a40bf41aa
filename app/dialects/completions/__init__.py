"""OpenAI's legacy completions, for autocomplete: https://platform.openai.com/docs/api-reference/completions ."""
