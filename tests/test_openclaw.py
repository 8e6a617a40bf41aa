"""OpenClaw's system prompt: what is recognised, what is dropped, what stays byte for byte, what is added."""

from __future__ import annotations

import openclaw_prompts as prompts
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import openclaw
from app.conversation import Message, TextBlock, ToolResultBlock

BUILDERS = pytest.mark.parametrize("build", [prompts.prompt_2026_9, prompts.prompt_2026_3])
HEADERS = {
    prompts.prompt_2026_9: prompts.STABLE_2026_9 + prompts.DYNAMIC_2026_9,
    prompts.prompt_2026_3: prompts.BEFORE_FILES_2026_3 + prompts.AFTER_FILES_2026_3,
}

# Lines on which a reader of the prompt could stumble, and any others.
traps = st.sampled_from(
    [
        *openclaw.SECTIONS,
        *prompts.STABLE,
        *prompts.DYNAMIC,
        prompts.IDENTITY,
        "## /home/user/.openclaw/workspace/SOUL.md",
        "## Tooling\r",
        "```",
        "~~~~ md",
        "````",
        "<available_skills>",
        "</available_skills>",
        "# a comment",
        "\x0c## Tooling",
        "\u2028## Tooling",
        "",
        *openclaw.MAPPING.split("\n")[:2],
        openclaw.MAPPING,
    ]
)
texts = st.lists(traps | st.text(max_size=20), max_size=12).map("\n".join)


@BUILDERS
def test_sections(build):
    """The sections about OpenClaw's tools go, every other line stays in its place."""
    whole = build()
    dropped = {prompts.section(header) for header in HEADERS[build] if header in prompts.DROPPED}
    expected = whole
    for text in dropped:
        expected = expected.replace(f"{text}\n", "", 1)
    assert expected == openclaw.strip(whole)
    assert expected.count("## Tooling") == 1, "the one in a file"
    assert "We use make." in expected


@BUILDERS
def test_crlf(build):
    """Windows' line ends change nothing, and stay."""
    whole = build()
    assert openclaw.strip(whole).replace("\n", "\r\n") == openclaw.strip(whole.replace("\n", "\r\n"))


@BUILDERS
@pytest.mark.parametrize("adapt", [openclaw.strip, openclaw.with_mapping, openclaw.adapted])
def test_twice(build, adapt):
    """Adapting an adapted prompt changes nothing."""
    once = adapt(build())
    assert once == adapt(once)


@given(texts)
def test_twice_whatever(system):
    """Twice is as good as once, for any text."""
    once = openclaw.adapted(system)
    assert once == openclaw.adapted(once)
    assert once.endswith(openclaw.MAPPING)


@BUILDERS
@given(text=texts, other=texts)
def test_files_stay(build, text, other):
    """The user's files stay byte for byte, whatever they hold; and so does what is kept around them."""
    files = {"/w/AGENTS.md": text, "/w/USER.md": other}
    stripped = openclaw.strip(build(files))
    assert prompts.project_context(files) in stripped
    without = openclaw.strip(build({}))
    before, after = without.split(prompts.project_context({}))
    assert before == stripped[: len(before)]
    assert after == stripped[len(stripped) - len(after) :]


@pytest.mark.parametrize(
    "text",
    [
        "\n".join([prompts.STABLE[1], "## Tooling", "mine"]),
        "\n".join([prompts.STABLE[1], prompts.DYNAMIC[0], "## Delegation", "mine", prompts.DYNAMIC[1]]),
        prompts.prompt_2026_9(),
        prompts.prompt_2026_3(),
        "# Project Context\n## Tooling\nmine",
        "```\n## Tooling\nnever closed",
    ],
)
@BUILDERS
def test_files_that_quote_a_prompt(build, text):
    """A file that holds a prompt's marks, or a whole prompt, ends no earlier for that."""
    assert prompts.project_context({"/w/a.md": text}) in openclaw.strip(build({"/w/a.md": text}))


@pytest.mark.parametrize("header", sorted(set(HEADERS[prompts.prompt_2026_9]) - prompts.DROPPED))
@given(text=st.text().filter(lambda text: "#" not in text and "`" not in text and "~" not in text))
def test_kept_sections_stay(header, text):
    """A kept section stays byte for byte, white space and unusual line ends included."""
    whole = prompts.prompt_2026_9(texts={header: text})
    assert f"{header}\n{text}\n" in openclaw.strip(whole)


@BUILDERS
@pytest.mark.parametrize("fence", ["```", "~~~", "````md", "  ```sh"])
def test_fenced_code(build, fence):
    """A header in fenced code is no header, in a section that stays as in one that goes."""
    code = f"{fence}\n## Tooling\n```inner\n{fence.strip(' mdsh')}"
    example = f"{fence}\n## Safety\nnot really\n{fence.strip(' mdsh')}"
    stripped = openclaw.strip(build(texts={"## Safety": code, "## Tool Call Style": example}))
    assert f"## Safety\n{code}\n" in stripped
    assert "not really" not in stripped


@BUILDERS
def test_fence_that_never_closes(build):
    """A stray fence in a section that goes takes no other section with it."""
    stripped = openclaw.strip(build({}, {"## Tooling": "```json\n{}"}))
    assert openclaw.strip(build({})) == stripped


@BUILDERS
def test_skill_descriptions(build):
    """A list of skills is text of their authors: headers in it are none."""
    skills = "<available_skills>\n  <description>\n## Tooling\nmine\n</description>\n</available_skills>"
    assert f"## Skills\n{skills}\n## Memory Recall" in openclaw.strip(build(texts={"## Skills": skills})).replace(
        prompts.section("## Skill Workshop") + "\n", ""
    )


@BUILDERS
def test_context_of_a_conversation(build):
    """What an operator wrote for a group or a sub-agent stays, headings and all."""
    header = "## Conversation Context" if build is prompts.prompt_2026_9 else "## Group Chat Context"
    text = "## Tooling\nOurs is a lathe.\n## Delegation\nAsk Ada."
    assert f"{header}\n{text}\n## Reactions" in openclaw.strip(build(texts={header: text}))


@pytest.mark.parametrize(
    ("system", "stripped"),
    [
        ("## Tooling", ""),
        ("Hello\n## Tooling", "Hello\n"),
        ("Hello\r\n## Tooling\r\n", "Hello\r\n"),
        ("## Tooling\nwords\n# Other\nkept", "# Other\nkept"),
        ("## Tooling\n### Part\nwords\n## Safety\nkept", "## Safety\nkept"),
        ("## Messaging\nkept\n### message tool\nwords\n### other\nkept", "## Messaging\nkept\n### other\nkept"),
        ("## Messaging\n### message tool\nwords\n#### deeper\nwords", "## Messaging\n"),
        ("## Delegation\nwords\n<!-- /openclaw:attempt:DYNAMIC -->\nkept", "<!-- /openclaw:attempt:DYNAMIC -->\nkept"),
        ("## Control UI Anything\nwords\n## Unheard Of\nkept", "## Unheard Of\nkept"),
        ("## Tooling for wood\nkept", "## Tooling for wood\nkept"),
        ("### Tooling\nkept", "### Tooling\nkept"),
        ("##Tooling\nkept", "##Tooling\nkept"),
        ("About ## Tooling", "About ## Tooling"),
        ("## Tooling\u2028\nkept", "## Tooling\u2028\nkept"),
        ("````\n```\n## Tooling\n````\nkept", "````\n```\n## Tooling\n````\nkept"),
        ("\u2028## Tooling\nkept", "\u2028## Tooling\nkept"),
        ("", ""),
    ],
)
def test_edges(system, stripped):
    """A section ends at a heading of its level or above, at a mark or at the end; no other line is a header."""
    assert stripped == openclaw.strip(system)


def test_prompt_without_files():
    """Without files both halves are stripped all the same."""
    whole = prompts.prompt_2026_9().replace(prompts.project_context(prompts.FILES) + "\n", "")
    assert "# Project Context" not in whole
    stripped = openclaw.strip(whole)
    assert "## Tooling" not in stripped
    assert "## Delegation" not in stripped
    assert "## Runtime\n" in stripped


def test_envelope_cut_off():
    """Where the closing mark is missing, nothing behind the files is taken for OpenClaw's."""
    cut, _ = prompts.prompt_2026_9().split(prompts.STABLE[1])
    assert openclaw.strip(cut).endswith(prompts.project_context(prompts.FILES) + "\n")


@pytest.mark.parametrize(
    "system",
    [
        prompts.prompt_2026_9(),
        prompts.prompt_2026_3(),
        prompts.prompt_2026_9().replace("\n", "\r\n"),
        openclaw.adapted(prompts.prompt_2026_9()),
        prompts.IDENTITY,
        f"{prompts.IDENTITY}\nCurrent model identity: x.",
        "You are Molty.\n## Tooling\n- read\n## Tool Call Style\nBriefly.",
        "You are Molty.\r\n## Tooling\r\n- read\r\n## OpenClaw CLI Quick Reference\r\nopenclaw gateway status",
        "You are Molty.\n## OpenClaw CLI Quick Reference\nx\n## OpenClaw Self-Update",
    ],
)
def test_detected(system):
    """The first line tells OpenClaw, in every version and mode; and so do two headers of the old tooling sections."""
    assert openclaw.detect(system)


@pytest.mark.parametrize(
    "system",
    [
        "",
        "You help with OpenClaw, a personal assistant. You are not running inside OpenClaw.",
        f'Its prompt begins with "{prompts.IDENTITY}"',
        f"# Notes\n{prompts.IDENTITY}",
        f"You are a coder.\n# Project Context\n## /w/prompt.md\n{prompts.prompt_2026_3()}",
        "You are a coder.\n```md\n## Tooling\n```",
        "You are a coder.\n## Tooling and tests\n### Tooling",
        "You are a coder. ## Tooling",
        "You are a coder.\n## Tooling\nUse make.\n## Tooling\nUse ruff.",
        "You are a coder.\n## Tool Call Style\nBriefly.",
        "You are a coder.\n## OpenClaw Control",
    ],
)
def test_not_detected(system):
    """Talk about OpenClaw, a quotation of its prompt and headings that only look alike make no prompt OpenClaw's."""
    assert not openclaw.detect(system)


def test_mapping_comes_once():
    """The mapping stands once at the end, also where a file quotes it."""
    adapted = openclaw.adapted(prompts.prompt_2026_9({"/w/notes.md": openclaw.MAPPING}))
    assert adapted.endswith(f"{prompts.DYNAMIC[1]}\n{openclaw.MAPPING}")
    assert adapted.count(openclaw.MAPPING) == 2
    assert openclaw.adapted(prompts.prompt_2026_9()).count(openclaw.MAPPING) == 1


@pytest.mark.parametrize(
    "name", "exec process read write edit apply_patch grep web_search web_fetch message cron".split()
)
def test_mapping_names_each_tool(name):
    """Each of the common tools has one equivalent."""
    names = [other for names, _ in openclaw.EQUIVALENTS for other in names.replace(",", "").split()]
    assert names.count(name) == (2 if name == "message" else 1)


def test_mapping_leaves_the_prompt_whole():
    """The mapping is a section that no rule drops, and opens no code that would hide what follows."""
    assert openclaw.strip(openclaw.MAPPING) == openclaw.MAPPING
    assert "```" not in openclaw.MAPPING
    assert not openclaw.detect(openclaw.MAPPING)


def test_words_that_are_taken_back():
    """A question ends in passing words where its last block is OpenClaw's own, and not where a user quotes them."""
    passing = TextBlock(f"{openclaw.PASSING}\nnow\n<<<END_OPENCLAW_INTERNAL_CONTEXT>>>")
    result = ToolResultBlock("call1", (passing,))
    assert openclaw.is_passing(Message("user", (TextBlock("Hi"), passing)))
    assert openclaw.is_passing(Message("user", (result, passing)))
    assert not openclaw.is_passing(Message("user", (passing, TextBlock("Hi"))))
    assert not openclaw.is_passing(Message("user", (result,)))
    assert not openclaw.is_passing(Message("user", (TextBlock(f"What is {openclaw.PASSING}?"),)))
