"""A fact is kept only with its source, its year, both languages and words that are known."""

import json
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from fundoscope.cli import cli
from fundoscope.errors import KnowledgeError, TermError
from fundoscope.knowledge.fact_files import read_graph
from fundoscope.knowledge.graph import LINKS, Edge, can_have_facts, facts_of, knowledge

FOLDER = Path(str(files("fundoscope"))) / "knowledge"
COMMON = (
    "diabetic_retinopathy",
    "diabetic_macular_oedema",
    "age_related_macular_degeneration",
    "glaucoma",
    "cataract",
    "pathological_myopia",
    "hypertensive_retinopathy",
    "branch_retinal_vein_occlusion",
    "central_retinal_vein_occlusion",
    "central_retinal_artery_occlusion",
    "epiretinal_membrane",
    "macular_hole",
    "central_serous_chorioretinopathy",
    "retinal_detachment",
    "retinitis_pigmentosa",
)

# a graph small enough to see at once

SOURCES: dict[str, Any] = {
    "wilkinson_2003": {"cite": "Wilkinson CP. Scales", "year": 2003, "checked": "page"},
    "recalled_2011": {"cite": "A paper nobody opened", "year": 2011, "checked": "none"},
}
FACTS: list[dict[str, Any]] = [
    {
        "id": "diabetic_retinopathy.sign.dots",
        "facet": "visual",
        "link": "sign",
        "object": "microaneurysm",
        "audience": ["patient", "student"],
        "en": "Diabetic retinopathy usually begins with small red dots.",
        "zh": "糖尿病视网膜病变通常以细小红点起病。",
        "source": "wilkinson_2003",
        "status": "seen",
    },
    {
        "id": "diabetic_retinopathy.follow_up.one",
        "facet": "examination",
        "link": "follow_up",
        "audience": ["clinician"],
        "en": "One body reviews diabetic retinopathy after six months.",
        "zh": "某指南建议糖尿病视网膜病变6个月后复查。",
        "source": "wilkinson_2003",
        "guideline": "ICO",
        "resources": "high",
        "status": "seen",
    },
    {
        "id": "diabetic_retinopathy.follow_up.other",
        "facet": "examination",
        "link": "follow_up",
        "audience": ["clinician"],
        "en": "Another body reviews diabetic retinopathy after a year.",
        "zh": "另一指南建议糖尿病视网膜病变1年后复查。",
        "source": "recalled_2011",
        "guideline": "AAO",
        "status": "unverified",
    },
]


def written(
    folder: Path,
    facts: list[dict[str, Any]] | None = None,
    sources: dict[str, Any] | None = None,
    condition: str = "diabetic_retinopathy",
    **changed: Any,
) -> Path:
    """Write the small graph, its first fact `changed`; a key changed to None is left out."""
    first, *rest = facts or FACTS
    first = {key: value for key, value in {**first, **changed}.items() if value is not None}
    (folder / "facts").mkdir(exist_ok=True)
    (folder / "sources").mkdir(exist_ok=True)
    (folder / "facts" / f"{condition}.yaml").write_text(
        yaml.safe_dump({"condition": condition, "facts": [first, *rest]}), encoding="utf-8"
    )
    (folder / "sources" / "few.yaml").write_text(
        yaml.safe_dump(sources or SOURCES), encoding="utf-8"
    )
    return folder


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    graph = read_graph(written(tmp_path))
    first = graph.facts[0]
    assert first.text("zh") == "糖尿病视网膜病变通常以细小红点起病。"
    assert (first.year, first.source.cite) == (2003, "Wilkinson CP. Scales")
    assert graph.conditions == ("diabetic_retinopathy",)
    assert graph.guidelines == ("AAO", "ICO")
    assert graph.nodes == (
        "diabetic_retinopathy",
        "microaneurysm",
        "recalled_2011",
        "wilkinson_2003",
    )


def test_an_edge_is_found_from_both_of_its_ends(tmp_path: Path) -> None:
    graph = read_graph(written(tmp_path))
    edge = Edge("diabetic_retinopathy", "sign", "microaneurysm", "diabetic_retinopathy.sign.dots")
    assert graph.links("diabetic_retinopathy") == graph.links("microaneurysm") == (edge,)
    assert graph.links("glaucoma") == ()


def test_counts_tell_what_is_seen_and_what_is_not(tmp_path: Path) -> None:
    counts = read_graph(written(tmp_path)).counts()["diabetic_retinopathy"]
    assert counts["examination"] == {"seen": 1, "unverified": 1}
    assert counts["treatment"] == {"seen": 0, "unverified": 0}


# what may be asked


def test_facts_are_chosen_by_facet_and_audience(tmp_path: Path) -> None:
    graph = read_graph(written(tmp_path))
    assert graph.facts_of("diabetic_retinopathy", facet="visual") == graph.facts[:1]
    assert graph.facts_of("diabetic_retinopathy", audience="clinician") == graph.facts[1:2]
    assert graph.facts_of("glaucoma") == ()


def test_an_unverified_fact_is_given_only_when_asked_for(tmp_path: Path) -> None:
    graph = read_graph(written(tmp_path))
    assert len(graph.facts_of("diabetic_retinopathy")) == 2
    assert len(graph.facts_of("diabetic_retinopathy", include_unverified=True)) == 3


def test_a_guideline_leaves_out_the_others_but_not_what_all_know(tmp_path: Path) -> None:
    graph = read_graph(written(tmp_path))
    found = graph.facts_of("diabetic_retinopathy", include_unverified=True, guideline="AAO")
    assert [fact.guideline for fact in found] == ["", "AAO"]


def test_low_resources_leave_out_what_needs_high_ones(tmp_path: Path) -> None:
    graph = read_graph(written(tmp_path))
    assert graph.facts_of("diabetic_retinopathy", resources="low") == graph.facts[:1]


@pytest.mark.parametrize("ask", [{"facet": "visuals"}, {"audience": "nurse"}, {"guideline": "AOA"}])
def test_what_there_is_not_is_refused_by_name(tmp_path: Path, ask: dict[str, Any]) -> None:
    graph = read_graph(written(tmp_path))
    with pytest.raises(KnowledgeError, match=next(iter(ask.values()))):
        graph.facts_of("diabetic_retinopathy", **ask)


def test_an_unknown_condition_offers_the_nearest() -> None:
    with pytest.raises(TermError, match="no condition 'glaucom'") as problem:
        facts_of("glaucom")
    assert problem.value.mend == "did you mean 'glaucoma'?"


# what is refused


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"source": None}, "`source` is missing"),
        ({"source": "wilkinson_2030"}, "unknown source 'wilkinson_2030'"),
        ({"en": None}, "`en` is missing"),
        ({"zh": None}, "`zh` is missing"),
        ({"zh": ""}, "`zh` is missing"),
        ({"en": 7}, "`en` is no text"),
        ({"facet": "looks"}, "unknown facet 'looks'"),
        ({"link": "signs"}, "unknown link 'signs'"),
        ({"link": "treatment"}, "unknown link 'treatment'"),
        ({"audience": ["nurse"]}, "unknown audience 'nurse'"),
        ({"audience": []}, "the audience is no list"),
        ({"audience": "patient"}, "the audience is no list"),
        ({"status": "true"}, "unknown status 'true'"),
        ({"object": "microaneurism"}, "unknown object 'microaneurism'"),
        ({"object": ["microaneurysm"]}, "unknown object"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"id": "glaucoma.sign.dots"}, "the id names no condition"),
        ({"id": "diabetic_retinopathy.follow_up.one"}, "the id is used twice"),
        ({"en": FACTS[1]["en"]}, "the text is that of 'diabetic_retinopathy.sign.dots' too"),
        ({"zh": FACTS[2]["zh"]}, "the text is that of 'diabetic_retinopathy.sign.dots' too"),
        ({"source": "recalled_2011"}, "it is called seen, but 'recalled_2011' was not"),
        ({"resources": "high"}, "resources without a guideline"),
        ({"guideline": "ICO", "resources": "middle"}, "unknown level of resources 'middle'"),
    ],
)
def test_a_fact_is_refused_that(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(KnowledgeError) as problem:
        read_graph(written(tmp_path, **changed))
    assert said in problem.value.what
    assert problem.value.where.startswith("facts/diabetic_retinopathy.yaml, ")
    assert problem.value.mend


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"year": None}, "`year` is missing"),
        ({"year": "2003/4"}, "the year is '2003/4'"),
        ({"year": 203}, "the year is 203"),
        ({"year": True}, "the year is True"),
        ({"cite": None}, "`cite` is missing"),
        ({"checked": "probably"}, "unknown checked 'probably'"),
        ({"link": "www.example.org"}, "the link is 'www.example.org'"),
        ({"url": "https://example.org"}, "unknown key 'url'"),
    ],
)
def test_a_source_is_refused_that(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    entry = {**SOURCES["wilkinson_2003"], **changed}
    entry = {key: value for key, value in entry.items() if value is not None}
    with pytest.raises(KnowledgeError) as problem:
        read_graph(written(tmp_path, sources={**SOURCES, "wilkinson_2003": entry}))
    assert said in problem.value.what
    assert problem.value.where == "sources/few.yaml, wilkinson_2003"


def test_a_file_about_no_known_condition_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="unknown condition 'diabetic_retinopaty'"):
        read_graph(written(tmp_path, condition="diabetic_retinopaty"))


def test_a_file_is_named_for_its_condition(tmp_path: Path) -> None:
    file = written(tmp_path) / "facts" / "diabetic_retinopathy.yaml"
    file.rename(file.with_name("diabetes.yaml"))
    with pytest.raises(KnowledgeError, match="it holds 'diabetic_retinopathy'"):
        read_graph(tmp_path)


def test_the_same_text_about_two_conditions_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    written(tmp_path, facts=FACTS[:1], condition="glaucoma", id="glaucoma.sign.dots")
    with pytest.raises(KnowledgeError, match="the text is that of"):
        read_graph(tmp_path)


def test_a_source_in_two_files_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path) / "sources" / "few.yaml"
    file.with_name("more.yaml").write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(KnowledgeError, match="the source is given twice"):
        read_graph(tmp_path)


def test_a_key_written_twice_is_refused_and_its_line_named(tmp_path: Path) -> None:
    file = written(tmp_path) / "sources" / "few.yaml"
    file.write_text("a:\n  cite: A\n  cite: B\n  year: 2001\n  checked: page\n", encoding="utf-8")
    with pytest.raises(KnowledgeError) as problem:
        read_graph(tmp_path)
    assert "'cite' is written twice" in problem.value.mend
    assert "line 2" in problem.value.mend


def test_broken_yaml_is_refused_by_file_name(tmp_path: Path) -> None:
    file = written(tmp_path) / "facts" / "glaucoma.yaml"
    file.write_text("condition: [", encoding="utf-8")
    with pytest.raises(KnowledgeError) as problem:
        read_graph(tmp_path)
    assert problem.value.where == "facts/glaucoma.yaml"


# the facts that fundoscope carries


def test_every_file_of_facts_is_read() -> None:
    written = {file.stem for file in (FOLDER / "facts").glob("*.yaml")}
    assert set(knowledge().conditions) == written


def test_there_are_at_least_600_facts_about_40_conditions() -> None:
    assert len(knowledge().facts) >= 600
    assert len(knowledge().conditions) >= 40


@pytest.mark.parametrize("facet", LINKS)
@pytest.mark.parametrize("condition", COMMON)
def test_a_common_condition_has_four_seen_facts_in(condition: str, facet: Any) -> None:
    assert len(facts_of(condition, facet)) >= 4


def test_every_source_is_cited() -> None:
    cited = {fact.source.key for fact in knowledge().facts}
    assert set(knowledge().sources) - cited == set()


def test_a_sentence_ends_as_a_sentence() -> None:
    open_ended = [
        fact.id
        for fact in knowledge().facts
        if not (fact.en.endswith(".") and fact.zh.endswith("。"))
    ]
    assert open_ended == []


def test_every_sentence_names_its_condition() -> None:
    """A fact may stand alone in an answer, where `it` would name nothing."""
    nameless = []
    for fact in knowledge().facts:
        term = can_have_facts()[fact.condition]
        names = [*term.en, term.plural] if term.plural else term.en
        if not any(name.lower() in fact.en.lower() for name in names):
            nameless.append(f"{fact.id}: {fact.en}")
        if not any(name in fact.zh for name in term.zh):
            nameless.append(f"{fact.id}: {fact.zh}")
    assert nameless == []


def test_no_sentence_orders_the_reader_about() -> None:
    ordering = [
        fact.id
        for fact in knowledge().facts
        if "you should" in fact.en.lower() or "you must" in fact.en.lower() or "您应" in fact.zh
    ]
    assert ordering == []


def test_guidelines_that_disagree_stand_side_by_side() -> None:
    """Follow-up of severe disease: under 3 months (ICO), 4 months (AAO), 3 to 6 months (ADA)."""
    severe = [
        fact
        for fact in facts_of("diabetic_retinopathy", "examination")
        if fact.link == "follow_up" and fact.en.lower().count("severe") and fact.guideline
    ]
    assert {fact.guideline for fact in severe} >= {"ICO", "AAO", "ADA"}


# the command line


def test_the_command_line_groups_facts_and_names_their_sources() -> None:
    shown = CliRunner().invoke(cli, ["knowledge", "show", "diabetic_retinopathy"])
    lines = shown.output.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == list(LINKS)
    marks = [line for line in lines if line.startswith("      ")]
    assert len(marks) == len(facts_of("diabetic_retinopathy"))
    assert all(line.endswith("; seen") for line in marks)


def test_the_command_line_prints_chinese_and_json() -> None:
    words = ["knowledge", "show", "diabetic_retinopathy", "--facet", "visual"]
    chinese = CliRunner().invoke(cli, [*words, "--language", "zh"])
    assert "糖尿病视网膜病变" in chinese.output
    as_json = json.loads(CliRunner().invoke(cli, [*words, "--json"]).output)
    assert Counter(fact["facet"] for fact in as_json).keys() == {"visual"}
    assert all(fact["source"]["year"] for fact in as_json)


def test_the_command_line_says_when_nothing_is_known() -> None:
    shown = CliRunner().invoke(cli, ["knowledge", "show", "lens_dust"])
    assert shown.exit_code == 0
    assert "no facts about 'lens_dust'" in shown.output


def test_the_list_of_conditions_counts_the_facts() -> None:
    listed = CliRunner().invoke(cli, ["knowledge", "list"])
    assert f"{len(knowledge().facts):,} facts" in listed.output
    counts = json.loads(CliRunner().invoke(cli, ["knowledge", "list", "--json"]).output)
    assert list(counts) == list(knowledge().conditions)
