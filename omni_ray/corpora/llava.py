"""LLaVA's lists: pictures with conversations about them, of which those of one question and answer are captions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.listed_pictures import Listed, fault_of, lists_in, read_json, read_listed, units_of_lists
from omni_ray.sources.extra import rest_of
from omni_ray.sources.json_objects import Ambiguous
from omni_ray.sources.tree import Tree

_LIST = re.compile(r".*\.json", re.IGNORECASE)
_ANSWERS = {"gpt", "assistant"}
_QUESTIONS = {"human", "user"}


class Llava(Corpus):
    """Pictures in the list's order. A longer conversation is no caption, and a text without a picture has none."""

    name = "llava"
    modality = "images"
    title = "LLaVA's pre-training lists"
    licence = "by list; blip_laion_cc_sbu_558k.json: that of LAION, CC and SBU"
    homepage = "https://github.com/haotian-liu/LLaVA"
    size = "blip_laion_cc_sbu_558k: 27 GB, 558,128 pictures with a caption each"
    layout = "a .json list of {id, image, conversations: [{from, value}]} beside the folder of pictures that it names"
    manual = "Get the list and images.zip of liuhaotian/LLaVA-Pretrain."
    in_all = False
    version = 4
    keeps_columns = True

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        names, folders = lists_in(tree, _LIST)
        read = (
            _listed(tree, name, options.keep_columns)
            for name in names
            if not options.splits or name.rpartition("/")[2][:-5] in options.splits
        )
        return units_of_lists(tree, folders, (listed for listed in read if listed is not None), self.name, options)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        return read_listed(tree, payload, None)


def _listed(tree: Tree, name: str, keeps_columns: bool) -> Listed | None:
    """None for JSON of another shape."""
    content = read_json(tree, name)
    if not isinstance(content, list) or not any(isinstance(each, dict) and "conversations" in each for each in content):
        return None
    listed = Listed(name, name.rpartition("/")[2].rpartition(".")[0])
    for number, each in enumerate(content):
        what = f"record {number}"
        if fault := fault_of(each) or _fault_of_turns(each.get("conversations")):
            listed.lost.append([what, "bad_row", f"{what} of {name} is {fault}"])
            continue
        answers = _turns(each.get("conversations"), _ANSWERS)
        questions = _turns(each.get("conversations"), _QUESTIONS)
        if len(answers) > 1 or len(questions) > 1:
            detail = f"{what} of {name} is a conversation of {len(answers)} answers, not a caption"
            listed.lost.append([what, "bad_row", detail])
        else:
            rest = {**rest_of(each, ("image", "conversations")), "questions": questions} if keeps_columns else None
            listed.add(what, each.get("image"), answers, rest)
    return listed


def _fault_of_turns(conversation: Any) -> str:
    turns = conversation if isinstance(conversation, list) else []
    fault = next((turn.fault for turn in turns if isinstance(turn, Ambiguous)), "")
    return fault and f"a conversation with {fault}"


def _turns(conversation: Any, speakers: set[str]) -> list[Any]:
    turns = conversation if isinstance(conversation, list) else []
    return [turn.get("value") for turn in turns if isinstance(turn, dict) and turn.get("from") in speakers]
