"""The page of facts and its drawing are those of the facts."""

import runpy
from pathlib import Path

from fundoscope.knowledge.graph import knowledge

DOCS = Path(__file__).parents[2] / "docs"
MADE = runpy.run_path(str(DOCS / "make_knowledge_page.py"))


def test_the_page_of_facts_is_that_of_the_graph() -> None:
    written = (DOCS / "knowledge.md").read_text(encoding="utf-8")
    assert written == MADE["knowledge_page"](), "run: python docs/make_knowledge_page.py"


def test_the_drawing_is_that_of_the_graph() -> None:
    written = (DOCS / "images" / "knowledge.svg").read_text(encoding="utf-8")
    assert written == MADE["drawing"](), "run: python docs/make_knowledge_page.py"


def test_every_linked_pair_that_is_shared_has_its_dot() -> None:
    pairs = {(edge.condition, edge.object) for edge in knowledge().edges}
    reached = [object for _, object in pairs]
    shared = [object for object in reached if reached.count(object) > 1]
    assert MADE["drawing"]().count("<g><title>") == len(shared)
