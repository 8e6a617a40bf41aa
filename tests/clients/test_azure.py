"""openai's AzureOpenAI client, which names the model in the path and sends its key by another name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import openai
import pytest
from server import Server

from app.standin import StandIn

from .scenario import ANSWER

HELLO = [{"role": "user", "content": "Hi"}]
KEY = "sk-laptop-0123456789abcdef"
VERSION = "2024-10-21"


@pytest.fixture
def client(serve: Callable[..., Server], standin: StandIn) -> Iterator[openai.AzureOpenAI]:
    server = serve(CLAUDE_PROXY_API_KEYS=f"laptop:{KEY}")
    with openai.AzureOpenAI(azure_endpoint=server.url, api_key=KEY, api_version=VERSION, max_retries=0) as client:
        yield client


def test_client(client: openai.AzureOpenAI, standin: StandIn) -> None:
    """Chats, streamed or not, responses and models work; the deployment is the model, and another key is none."""
    answer = client.chat.completions.create(model="claude-haiku-4", messages=HELLO)
    assert answer.choices[0].message.content == ANSWER
    assert "haiku" in standin.messages[-1]["model"]
    stream = client.chat.completions.create(model="claude-opus-4", messages=HELLO, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == ANSWER
    assert "opus" in standin.messages[-1]["model"]
    assert client.responses.create(model="claude-sonnet-4", input="Hi").output_text == ANSWER
    assert "claude-sonnet-4" in {model.id for model in client.models.list()}
    with pytest.raises(openai.InternalServerError, match="Embeddings") as refused:
        client.embeddings.create(model="ada", input="Hi")
    assert refused.value.status_code == 501
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").chat.completions.create(model="claude-sonnet-4", messages=HELLO)


def test_deployment_of_the_client(client: openai.AzureOpenAI, standin: StandIn) -> None:
    """A client with one deployment asks that, whatever its requests say."""
    base = str(client.base_url).removesuffix("/openai/")
    with openai.AzureOpenAI(
        azure_endpoint=base, azure_deployment="claude-haiku-4", api_key=KEY, api_version=VERSION
    ) as bound:
        answer = bound.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert answer.choices[0].message.content == ANSWER
    assert "haiku" in standin.messages[-1]["model"]


@pytest.mark.parametrize("path", ["/openai/v1/", "/v1/v1", "/v1/v1/v1/"])
def test_base_urls(client: openai.AzureOpenAI, path: str) -> None:
    """The plain client works with Azure's newer base URL, and with a base URL that has /v1 more than once."""
    base = str(client.base_url).removesuffix("/openai/")
    with openai.OpenAI(base_url=base + path, api_key=KEY, default_query={"api-version": "preview"}) as plain:
        answer = plain.chat.completions.create(model="claude-sonnet-4", messages=HELLO)
    assert answer.choices[0].message.content == ANSWER
