"""Each command of the docs is run by a test or by .ci/run, or its block says that it is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs import PAGES, ROOT, Block, blocks

#: Page -> the beginning of a command -> what runs it, as the page spells it: ``file::name``, or a
#: script that ``.ci/run`` calls.
RUN_BY: dict[str, dict[str, str]] = {
    "README.md": {
        "make run": ".ci/first-run",
        "API=": "tests/e2e/test_docs.py::test_the_readmes_calls",
        "curl ": "tests/e2e/test_docs.py::test_the_readmes_calls",
        ".venv/bin/photogate check": "tests/e2e/test_docs.py::test_commands_on_a_stack",
    },
    "docs/accuracy.md": {
        ".venv/bin/photogate evaluate": "tests/e2e/test_evaluate.py::test_two_policies_and_a_page",
        ".venv/bin/photogate accuracy": "tests/e2e/test_docs.py::test_commands_on_a_stack",
    },
    "docs/aws.md": {
        ".venv/bin/photogate migrate --stack": "tests/functions/test_migrate_stack.py",
    },
    "docs/backup.md": {
        ".venv/bin/photogate backup": "tests/e2e/test_backup.py::test_the_page",
        ".venv/bin/photogate remaining": "tests/e2e/test_backup.py::test_the_page",
        ".venv/bin/photogate restore": "tests/e2e/test_backup.py::test_the_page",
        "umask 077": "tests/compose/test_page.py::SAVE",
        "docker compose ": "tests/compose/test_page.py::SAVE",
        "make up": "tests/compose/test_page.py::BRING_BACK",
    },
    "docs/compose.md": {
        "make up": "tests/compose/test_page.py::QUICK_START",
        "docker compose ps": "tests/compose/test_page.py::QUICK_START",
        "git pull": "tests/compose/test_upgrade.py::UPGRADE",
        "docker compose run --rm --build photogate smoke": "tests/compose/test_page.py::SMOKE",
        "docker compose run": "tests/compose/test_upgrade.py::UPGRADE",
        "curl http": "tests/compose/test_page.py::QUICK_START",
        "sed -i ": "tests/compose/test_page.py::THROUGH_MOTO",
        "cat >> .env": "tests/compose/test_page.py::THROUGH_MOTO",
    },
    "docs/install.md": dict.fromkeys(
        (
            "make dist",
            "python3 -m venv",
            "photogate-env/bin/pip install",
            "photogate-env/bin/photogate up",
        ),
        "tests/e2e/test_dist.py::test_wheels_run_without_a_checkout",
    ),
    "docs/integrate.md": dict.fromkeys(
        (
            "export JWT_SECRET=",
            "WEBHOOK_URL=",
            "field()",
            "API=",
            "PLACE=",
            "curl ",
            ".venv/bin/uvicorn",
            "PHOTOGATE_TEST_MODE=",
            "(cat photo.jpg",
            ".venv/bin/photogate smoke",
        ),
        "tests/e2e/test_integrate.py::test_the_page",
    ),
    "docs/logs.md": {
        ".venv/bin/photogate doctor": "tests/e2e/test_own_servers.py::test_rows_and_jobs_elsewhere",
        ".venv/bin/photogate logs": "tests/e2e/test_docs.py::test_commands_on_a_stack",
        ".venv/bin/photogate metrics": "tests/e2e/test_docs.py::test_commands_on_a_stack",
        ".venv/bin/photogate queue": "tests/e2e/test_docs.py::test_commands_on_a_stack",
    },
    "docs/notices.md": {
        ".venv/bin/photogate notices": (
            "tests/functions/test_notices.py::test_operators_see_resend_and_try"
        ),
    },
    "docs/operate.md": {
        "export METRICS_TOKEN=": "tests/e2e/test_metrics_page.py::test_the_pages_commands",
        ".venv/bin/photogate queue": "tests/e2e/test_docs.py::test_commands_on_a_stack",
        "ALERT_COMMAND=": "tests/e2e/test_alerts.py::test_the_pages_commands",
        ".venv/bin/photogate alerts": "tests/e2e/test_alerts.py::test_the_pages_commands",
        ".venv/bin/photogate results": "tests/e2e/test_docs.py::test_commands_on_a_stack",
        ".venv/bin/photogate report": "tests/e2e/test_docs.py::test_commands_on_a_stack",
        ".venv/bin/photogate watch": "tests/e2e/test_metrics_page.py::test_watch_and_metrics",
        ".venv/bin/photogate up": "tests/e2e/test_metrics_page.py::test_the_pages_commands",
        "curl ": "tests/e2e/test_metrics_page.py::test_the_pages_commands",
    },
    "docs/privacy.md": {
        ".venv/bin/photogate erase": "tests/functions/test_erase.py::erase",
    },
    "docs/troubleshoot.md": dict.fromkeys(
        (".venv/bin/photogate",), "tests/e2e/test_docs.py::test_commands_on_a_stack"
    ),
    "docs/tutorial.md": dict.fromkeys(
        (".venv/bin/python", ".venv/bin/photogate", "sed ", "export TOKEN="),
        "tests/e2e/test_tutorial.py::test_it_holds",
    ),
    "docs/review.md": {
        ".venv/bin/photogate token": "tests/e2e/test_docs.py::test_commands_on_a_stack",
        ".venv/bin/photogate sessions": "tests/e2e/test_docs.py::test_commands_on_a_stack",
    },
    "docs/models.md": {
        ".venv/bin/photogate model": "tests/e2e/test_docs.py::test_the_page_on_models",
        ".venv/bin/photogate check": "tests/e2e/test_docs.py::test_the_page_on_models",
        "THIRD_MODEL=swiftformer .venv/bin/photogate check": (
            "tests/e2e/test_docs.py::test_the_page_on_models"
        ),
        "make run MODEL=": "tests/e2e/test_docs.py::test_the_page_on_models",
        "cp ": "tests/e2e/test_docs.py::test_the_page_on_models",
    },
    "docs/policies.md": {
        ".venv/bin/photogate check --policy": "tests/e2e/test_check.py::TestPolicyFiles",
    },
}


BLOCKS = list(blocks())
COMMANDS = [(b, c) for b in BLOCKS if b.why_not_run is None for c in b.commands]


def runner(block: Block, command: str) -> str | None:
    known = RUN_BY.get(block.page, {})
    return next((known[begin] for begin in known if command.startswith(begin)), None)


def test_each_command_is_run_somewhere() -> None:
    assert len(COMMANDS) > 50
    for block, command in COMMANDS:
        place = runner(block, command)
        assert place, f"{block.page}: nothing runs {command!r}, and its block does not say so"
        path, _, test = place.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        if test:
            assert re.search(rf"\b{test}\b", text), f"there is no {place}"
        if path.startswith(".ci/"):
            assert path in (ROOT / ".ci" / "run").read_text(encoding="utf-8"), path


@pytest.mark.parametrize("page", RUN_BY)
def test_the_table_knows_no_command_that_is_gone(page: str) -> None:
    typed = [command for block, command in COMMANDS if block.page == page]
    for begin in RUN_BY[page]:
        assert any(command.startswith(begin) for command in typed), begin


def test_what_is_not_run_says_why() -> None:
    for block in BLOCKS:
        assert block.commands, f"{block.page} has a console block without a command"
        assert block.why_not_run != ""


LINKING = [*PAGES, ROOT / "layers" / "model" / "MODEL_CARD.md", ROOT / "DECISIONS.md"]
LINKING += [ROOT / "CHANGELOG.md"]
#: The target of a link; a page that code or configuration names.
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CITED = re.compile(r"\b(?:docs/\w+|README|DECISIONS|MODEL_CARD|CHANGELOG)\.md\b")


def anchors(page: Path) -> set[str]:
    """Give the anchors that GitHub makes of a page's headings."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_anchors_are_those_of_headings(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Migrate, roll back\n```\n# no heading\n```\n## `make up`\n")
    assert anchors(page) == {"migrate-roll-back", "make-up"}


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.name)
def test_each_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_code_cites_pages_that_exist() -> None:
    known = {str(page.relative_to(ROOT)) for page in LINKING} | {"MODEL_CARD.md"}
    for folder in ("layers", "functions", "local", "bench", "tests", "requirements"):
        for path in (ROOT / folder).rglob("*.py"):
            for cited in _CITED.findall(path.read_text("utf-8")):
                assert cited in known, f"{path.relative_to(ROOT)} cites {cited}"
    for name in (
        "Makefile",
        "template.yaml",
        "local/compose.yaml",
        "functions/moderate/Dockerfile",
    ):
        assert set(_CITED.findall((ROOT / name).read_text("utf-8"))) <= known, name
