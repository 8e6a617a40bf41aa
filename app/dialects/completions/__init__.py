"""OpenAI's legacy completions, for autocomplete: https://platform.openai.com/docs/api-reference/completions ."""

from __future__ import annotations

from app.dialects.completions.operation import OPERATION
from app.dialects.completions.request import parse
from app.dialects.dialect import Dialect
from app.dialects.openai.answers import ENVELOPE

DIALECT = Dialect("completions", "/completions", parse, ENVELOPE, OPERATION)
