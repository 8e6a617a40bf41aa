"""Values at which OpenAI's parameters ask for nothing."""

from __future__ import annotations

from typing import Any

# At these values a parameter asks for nothing that is left out; mostly OpenAI's defaults.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "temperature": (1,),
    "top_p": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "max_tokens": (0,),
    "metadata": ({},),
    "service_tier": ("auto", "default"),
    "store": (False,),
}
