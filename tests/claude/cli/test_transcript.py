"""What a transcript says that a session has used."""

from __future__ import annotations

from app.claude.cli.transcript import used
from app.conversation import ClaudeSession
from app.events import Usage

LINE = (
    '{{"type":"cost-state","sessionId":"s","totalCostUSD":{},"modelUsage":{{"a":{{"inputTokens":{},"outputTokens":3}},'
    '"b":{{"inputTokens":1,"cacheReadInputTokens":4}}}}}}\n'
)


def test_the_last_count(tmp_path):
    """The last line that counts is what the CLI goes on from; none, or no transcript, is nothing."""
    path = tmp_path / "s.jsonl"
    session = ClaudeSession("s", str(path))
    assert used(session) == used(ClaudeSession("s")) == (Usage(), 0.0)
    path.write_text('{"type":"user"}\n')
    assert used(session) == (Usage(), 0.0)
    path.write_text(LINE.format(0.5, 10) + '{"type":"user"}\n' + LINE.format(0.75, 20) + '{"type":"user"}\n')
    assert used(session) == (Usage(21, 3, 4), 0.75)
    for broken in (b'{"type":"cost-state", broken\n', b'{"type":"cost-state","modelUsage":{"\xff":{}}}\n'):
        path.write_bytes(broken)
        assert used(session) == (Usage(), 0.0)
