"""Recipes and commands are the same thing: a section is a command, its keys are the command's options.

Nothing is listed twice: a new option of a command can be written in a recipe, and is checked and printed, without more work.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import typer

from omni_ray.errors import OmniError, SourceError
from omni_ray.modalities.params import made_on_gpus
from omni_ray.option import WHERE as WHERE_TO_RUN
from omni_ray.recipe import WHERE, Plain, RecipeError, Value, as_yaml, entries

ORDER = (
    "synth",
    "prepare",
    "clean",
    "tokenizer train",
    "combine",
    "verify",
    "plan",
    "report",
    "export hf",
    "export webdataset",
    "export mds",
    "export files",
)
"""The commands that a recipe may have, in the order in which they run, however the file has them."""
_RUNS = {"help", "recipe", "json", "quiet", "verbose", "list"}
"""Options that are about one call, not about what is made."""
_TRUE, _FALSE = {"true", "yes", "on"}, {"false", "no", "off"}


@dataclass(frozen=True)
class Step:
    """A command of a recipe.

    Attributes:
        command: its name, such as ``export hf``.
        arguments: its options and arguments, as a shell would give them.
    """

    command: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(["omni-ray", *self.command.split(), *self.arguments])


def options_of(command: Any) -> dict[str, Any]:
    """A command's parameters by their keys: names of options without dashes, of arguments as help has them."""
    return {key: param for param in command.params if (key := _key(param)) not in _RUNS}


def _key(param: Any) -> str:
    if param.param_type_name == "argument":
        return str(param.metavar or param.name).lower()
    return _option(param).lstrip("-").replace("-", "_")


def _option(param: Any) -> str:
    return str(max(param.opts, key=len))


def _is_where(param: Any) -> bool:
    return getattr(param, "rich_help_panel", None) == WHERE_TO_RUN


def steps(recipe: Value, app: Any) -> list[Step]:
    """The commands that a recipe stands for, in the order in which they run.

    Args:
        recipe: as it was read.
        app: the whole command line's root.

    Raises:
        RecipeError: unknown sections and keys, and values that the commands do not take: all of them.
    """
    problems: list[str] = []
    sections = recipe.content if isinstance(recipe.content, dict) else {}
    where = _where(sections.get(WHERE), app, problems)
    found: dict[str, list[Value]] = {}
    for name, section in sections.items():
        if name != WHERE:
            _sort_in(name, section, found, problems)
    made = []
    for name in ORDER:
        for entry in found.get(name, ()):
            step = _step(name, entry, where, app, problems)
            if step is not None:
                made.append(step)
                _check(step, _command(app, name), entry, problems, makes_sources=made[0].command == "synth")
    if problems:
        raise RecipeError(problems)
    if not made:
        raise RecipeError([f"{recipe.place}: there is nothing to run; give it a section, such as prepare"])
    return made


def _sort_in(name: str, section: Value, found: dict[str, list[Value]], problems: list[str]) -> None:
    """A section's entries under their commands; of ``export`` and its like, each key is a command of its own."""
    members = {command.partition(" ")[2]: command for command in ORDER if command.partition(" ")[0] == name}
    if not members:
        known = [WHERE, *dict.fromkeys(command.partition(" ")[0] for command in ORDER)]
        problems.append(f"{section.place}: {name} is no section; {_did_you_mean(name, known)}")
    elif "" in members:
        found[name] = [entry for entry in entries(section) if not _is_off(entry)]
    elif isinstance(section.content, dict):
        for key, value in section.content.items():
            if key in members:
                found[members[key]] = [entry for entry in entries(value) if not _is_off(entry)]
            else:
                problems.append(f"{value.place}: {name} has no {key}; {_did_you_mean(key, list(members))}")
    elif not _is_off(section):
        problems.append(f"{section.place}: {name}: say which: {', '.join(members)}")


def _is_off(value: Value) -> bool:
    return isinstance(value.content, str) and value.content.lower() in _FALSE


def _where(section: Value | None, app: Any, problems: list[str]) -> dict[str, Value]:
    if section is None or section.content is None:
        return {}
    if not isinstance(section.content, dict):
        problems.append(f"{section.place}: {WHERE}: write its options below it, such as cpus: 8")
        return {}
    known = {key for name in ORDER for key, param in options_of(_command(app, name)).items() if _is_where(param)}
    for key, value in section.content.items():
        if key not in known:
            problems.append(f"{value.place}: {WHERE} has no {key}; {_did_you_mean(key, sorted(known))}")
    return {key: value for key, value in section.content.items() if key in known}


def _command(app: Any, name: str) -> Any:
    for word in name.split():
        app = app.commands[word]
    return app


def _step(name: str, entry: Value, where: Mapping[str, Value], app: Any, problems: list[str]) -> Step | None:
    command = _command(app, name)
    known = options_of(command)
    before = len(problems)
    if isinstance(entry.content, str) and entry.content.lower() in _TRUE:
        given: dict[str, Value] = {}
    elif isinstance(entry.content, str | list):
        problems.append(f"{entry.place}: {name}: write its options as key: value")
        return None
    else:
        given = dict(entry.content or {})
    for key, value in given.items():
        if key not in known:
            problems.append(f"{value.place}: {name} has no {key}; {_did_you_mean(key, list(known))}")
    everything = {**{key: value for key, value in where.items() if key in known}, **given}
    if "gpus" in where and "gpus" not in given and not made_on_gpus(_texts(given.get("modality"))):
        everything.pop("gpus", None)
    context = typer.Context(command, info_name=name)
    words: list[str] = []
    arguments: list[str] = []
    for key, param in known.items():
        found = everything.get(key)
        if found is not None and found.content is not None:
            said = _said(name, key, param, found, context, problems)
            (arguments if param.param_type_name == "argument" else words).extend(said)
        elif param.required:
            problems.append(f"{entry.place}: {name} needs {key}")
    if len(problems) > before:
        return None
    return Step(name, (*words, *(["--", *arguments] if arguments else [])))


def _texts(value: Value | None) -> list[str]:
    if value is None:
        return []
    return [each.content for each in entries(value) if isinstance(each.content, str)]


def _said(name: str, key: str, param: Any, value: Value, context: Any, problems: list[str]) -> list[str]:
    """An option's words on the command line; none, and a problem, where the command would not take them."""
    is_argument = param.param_type_name == "argument"
    takes_several = param.nargs == -1 if is_argument else param.multiple
    texts = _pairs(param, value, takes_several)
    if texts is None and (takes_several or not isinstance(value.content, list)):
        texts = _texts(value)
        if any(not isinstance(each.content, str) for each in entries(value)):
            texts = None
    if texts is None:
        problems.append(f"{value.place}: {name}: {key}: {'a list of words' if takes_several else 'one value'}, please")
        return []
    if getattr(param, "is_flag", False):
        return _flag(name, key, param, texts[0], value, problems)
    try:
        param.process_value(context, tuple(texts) if takes_several else texts[0])
    except typer.BadParameter as error:
        problems.append(f"{value.place}: {name}: {key}: {', '.join(texts)}: {_said_by(error)}")
    except OmniError as error:
        problems.append(f"{value.place}: {name}: {key}: {error}")
    return texts if is_argument else [f"{_option(param)}={text}" for text in texts]


def _said_by(error: typer.BadParameter) -> str:
    return " ".join(error.message.replace("Value error, ", "").split())


def _flag(name: str, key: str, param: Any, text: str, value: Value, problems: list[str]) -> list[str]:
    if text.lower() in _TRUE:
        return [_option(param)]
    if text.lower() not in _FALSE:
        problems.append(f"{value.place}: {name}: {key}: true or false, not {text}")
    return []


def _pairs(param: Any, value: Value, takes_several: bool) -> list[str] | None:
    """``{text: sentence}`` as ``text=sentence``, where help says that the option is such pairs."""
    if not isinstance(value.content, dict) or "=" not in (param.metavar or ""):
        return None
    pairs = []
    for key, each in value.content.items():
        if isinstance(each.content, list) and all(isinstance(one.content, str) for one in each.content):
            pairs.append(f"{key}={'..'.join(_texts(each))}")
        elif isinstance(each.content, str):
            pairs.append(f"{key}={each.content}")
        else:
            return None
    if not takes_several and any("," in pair for pair in pairs):
        return None
    return pairs if takes_several else [",".join(pairs)]


def _check(step: Step, command: Any, entry: Value, problems: list[str], *, makes_sources: bool) -> None:
    """What the command would refuse at once, now and not after the steps before it, which may yet make its source."""
    check = getattr(command.callback, "check", None)
    try:
        with command.make_context(step.command, list(step.arguments)) as context:
            if check is not None:
                check(**context.params)
    except typer.BadParameter as error:
        problems.append(f"{entry.place}: {step.command}: {_said_by(error)}")
    except OmniError as error:
        if not (makes_sources and isinstance(error, SourceError)):
            problems.append(f"{entry.place}: {step.command}: {error}")


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"


def recipe_of(context: Any) -> str:
    """The recipe of the command that is being called: what its line gives, and no defaults."""
    options: dict[str, Plain] = {}
    where: dict[str, Plain] = {}
    for key, param in options_of(context.command).items():
        source = context.get_parameter_source(param.name)
        if source is not None and source.name == "COMMANDLINE":
            (where if _is_where(param) else options)[key] = _written(context.params[param.name])
    content: dict[str, Any] = {WHERE: where} if where else {}
    content |= _nested([*_words(context)][::-1], options)
    return as_yaml(content)


def _words(context: Any) -> Iterator[str]:
    """The command's name from its last word to its first; the program's is not part of it."""
    while context.parent is not None:
        yield str(context.info_name)
        context = context.parent


def _nested(words: Sequence[str], options: Mapping[str, Plain]) -> dict[str, Any]:
    if len(words) == 1:
        return {words[0]: dict(options) or None}
    return {words[0]: _nested(words[1:], options)}


def _written(value: Any) -> Any:
    """A parsed value as YAML has it."""
    if isinstance(value, list | tuple):
        return [_written(each) for each in value] if len(value) != 1 else _written(value[0])
    return value if isinstance(value, bool | int | float) else str(value)
