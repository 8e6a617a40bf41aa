"""Where each module is tested: in the file of the same path and name, or where the tables below say."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent
APP = TESTS.parent / "app"

# What only a whole server shows: tests/e2e has the test, by the module's name.
WHOLE_SERVER = {
    "blueprints/models.py",
    "blueprints/ollama.py",
    "blueprints/sessions.py",
    "captures/report.py",
    "claude/cli/out_of_reach.py",
    "demo.py",
    "records/tracing.py",
    "watchdog.py",
    "web/claude_sessions.py",
    "web/connections.py",
    "web/counting.py",
    "web/not_offered.py",
}
# Modules, or rooms of them, that are tested together with others, and where.
ELSEWHERE = {
    # The web in front of a backend that is a fake.
    "backend.py": "web/test_backend.py",
    "blueprints/health.py": "web/test_readiness.py",
    "blueprints/responses.py": "web/test_stored_responses.py",
    "blueprints/turns.py": "web/test_turn_responses.py",
    "web/stored_sessions.py": "e2e/test_sessions.py",
    # The table of agents is read row by row; what their servers do takes a whole one.
    "agents/*.py": "agents/test_table.py",
    "claude/cli/mcp_start.py": "e2e/test_agents_by_name.py",
    # These take real processes.
    "claude/cli/undertaker.py": "claude/cli/test_registry.py",
    "claude/cli/parent_death.py": "e2e/test_fault_matrix.py",
    "claude/turn/count.py": "e2e/test_counting.py",
    # The checks of the doctor are its tests: each gives a finding of a case.
    "console/doctor/*.py": "console/doctor/test_server_checks.py",
    "console/machine.py": "console/doctor/test_server_checks.py",
    "console/config_option.py": "console/config/test_file.py",
    "console/service/program.py": "console/service/test_service.py",
    "console/service/state.py": "console/service/test_service.py",
    "console/settings.py": "console/test_serve.py",
    "console/start.py": "console/test_talk.py",
    # Every store is in one.
    "database.py": "sessions/test_sqlite.py",
    "sessions/*.py": "postgres/test_sessions.py",
    "ledger/*.py": "ledger/test_ledger.py",
    # Every dialect: what comes whole is compared with what is streamed, and every body is tried against the document.
    "dialects/__init__.py": "dialects/test_dialect.py",
    "dialects/schema_words.py": "openapi/test_document.py",
    "dialects/*/response.py": "dialects/*/test_stream.py",
    "dialects/*/objects.py": "dialects/*/test_stream.py",
    "dialects/ollama/answers.py": "dialects/ollama/test_stream.py",
    "dialects/ollama/*.py": "e2e/test_ollama.py",
    "dialects/messages/messages.py": "dialects/messages/test_request.py",
    "dialects/messages/*.py": "clients/test_anthropic.py",
    "dialects/anthropic/*.py": "dialects/messages/test_request.py",
    "dialects/openai/*.py": "dialects/chat_completions/test_stream.py",
    "dialects/tools.py": "dialects/chat_completions/test_tools.py",
    "dialects/responses/*.py": "web/test_stored_responses.py",
    "openapi/*.py": "openapi/test_document.py",
    # Each probe is seen failing.
    "proof/*.py": "proof/test_proving.py",
    "schema_child.py": "test_schema_check.py",
    "standin/*.py": "standin/test_exchange.py",
}
MAX_ELSEWHERE = 39


def own_test(module: Path) -> Path:
    """Return where the test of a module, or of a package's `__init__.py`, is expected."""
    folder = TESTS / module.parent
    if module.name == "__init__.py":
        return folder / f"test_{module.parent.name or 'app'}.py"
    return folder / f"test_{module.name}"


def works(module: Path) -> bool:
    """Tell whether there is anything to run in a module: structs and tables alone need no test."""
    return any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse((APP / module).read_text())))


MODULES = [path.relative_to(APP) for path in sorted(APP.rglob("*.py"))]
WITHOUT = [module for module in MODULES if works(module) and not own_test(module).exists()]


def row_of(module: Path) -> str | None:
    return next((row for row in ELSEWHERE if module.match(row) and row.count("/") == str(module).count("/")), None)


def test_every_module_has_a_test():
    """A module's test has its path and name, or a table here says where it is."""
    assert [str(module) for module in WITHOUT if str(module) not in WHOLE_SERVER and row_of(module) is None] == []


def test_tables_are_true():
    """No row is left over, and the files they lead to are there."""
    modules = [module for module in WITHOUT if str(module) not in WHOLE_SERVER]
    assert {row_of(module) for module in modules} == set(ELSEWHERE)
    assert {str(module) for module in WITHOUT} >= WHOLE_SERVER
    assert [name for name in WHOLE_SERVER if not (TESTS / "e2e" / f"test_{Path(name).name}").exists()] == []
    assert [place for place in ELSEWHERE.values() if not any(TESTS.glob(place))] == []


def test_exceptions_are_few():
    """The tables do not grow: who adds a module adds its test."""
    assert len(ELSEWHERE) <= MAX_ELSEWHERE
