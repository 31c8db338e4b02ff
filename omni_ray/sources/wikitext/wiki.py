"""What rendering must know about a wiki: its language's templates, namespaces and headings.

The tables are text files beside this module, written by hand; their heads say what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib.resources import files

from omni_ray.sources.wikitext.functions import FUNCTIONS
from omni_ray.sources.wikitext.rules import DISAMBIGUATION, Rule, pattern

_EVERYWHERE = "*"
_WORDS = {"nothing": "", "disambiguation": DISAMBIGUATION}
_SECTION = re.compile(r"\[[a-z* -]+\]")
_MAX_KNOWN_NAMES = 20_000
_VARIANTS = frozenset(["zh", "gan", "wuu", "sr", "sh", "kk", "ku", "crh", "iu", "shi", "tg", "uz", "tly", "mni", "ban"])
# Wikis in a dialect or script of another language, which use the templates and headings of that.
_LIKE = {
    "zh-classical": "zh", "zh-yue": "zh", "yue": "zh", "wuu": "zh", "gan": "zh", "hak": "zh", "lzh": "zh",
    "als": "de", "gsw": "de", "bar": "de", "nds": "de", "lb": "de", "pdc": "de", "nds-nl": "nl", "li": "nl", "fy": "nl",
    "af": "nl", "vls": "nl", "be": "ru", "be-tarask": "ru", "kk": "ru", "tt": "ru", "ba": "ru", "cv": "ru", "ky": "ru",
    "oc": "fr", "br": "fr", "wa": "fr", "ht": "fr", "an": "es", "ast": "es", "gl": "pt", "mwl": "pt", "sc": "it",
    "scn": "it", "lmo": "it", "pms": "it", "vec": "it", "nap": "it", "szl": "pl", "csb": "pl", "nn": "no", "nb": "no",
    "sk": "cs", "sh": "sr", "bs": "sr", "hr": "sr", "mo": "ro", "arz": "ar", "azb": "fa", "ms": "id", "jv": "id",
    "simple": "en", "sco": "en",
}  # fmt: skip


class Wiki:
    """A wiki in one language.

    Attributes:
        lang: language code; "" for a wiki of unknown language, which takes the tables of all.
        media: lower-case names of the namespaces whose links show no text.
        headings: lower-case headings of sections that hold links and references.
        has_variants: whether ``-{...}-`` is markup there.
    """

    def __init__(self, lang: str = "", media: Iterable[str] = ()) -> None:
        self.lang = lang.lower()
        self.base = _LIKE.get(self.lang, self.lang.partition("-")[0])
        likes = (self.lang.partition("-")[0], _LIKE.get(self.lang, ""))
        self.media = _names("namespaces.txt", self.lang, *likes).union(name.lower() for name in media)
        self.headings = _names("headings.txt", self.base)
        self.has_variants = not self.lang or self.lang.partition("-")[0] in _VARIANTS or self.base == "zh"
        self._templates = _Templates.of(self.base)
        self._known: dict[str, str | Rule | None] = {}

    def rule(self, name: str) -> str | Rule | None:
        """What the template of this name shows: a text, a rule, or None where no table knows it."""
        if name in self._known:
            return self._known[name]
        if len(self._known) > _MAX_KNOWN_NAMES:
            self._known.clear()
        found = self._known[name] = self._templates.find(name)
        return found

    def is_function(self, name: str) -> bool:
        """Whether ``name:`` begins a call of a parser function."""
        return self._templates.is_function(name)


class _Templates:
    """The tables of one language, that of all wikis, and for other names those of other languages."""

    def __init__(self, lang: str) -> None:
        tables = _tables()
        own = [_EVERYWHERE, lang] if lang else [*sorted(tables.keys() - {_EVERYWHERE}), _EVERYWHERE]
        self.exact: dict[str, str | Rule] = {}
        for other in sorted(tables.keys() - set(own)):
            others = tables[other].items()
            self.exact.update((name, rule) for name, rule in others if len(name) > 2 and rule is not DISAMBIGUATION)
        rows = [row for code in own for row in tables.get(code, {}).items()]
        self.exact.update(rows)
        self.starts = {name[:-1]: rule for name, rule in rows if name.endswith("*") and name != "*"}
        self.ends = {name[1:]: rule for name, rule in rows if name.startswith("*") and name != "*"}

    @staticmethod
    @cache
    def of(lang: str) -> _Templates:
        return _Templates(lang)

    def is_function(self, name: str) -> bool:
        return name.strip().lower() + ":" in self.exact

    def find(self, name: str) -> str | Rule | None:
        key = re.sub(r"[_\s]+", " ", name).strip().lower()
        key = re.sub(
            r"^(?::|(?:safe)?subst:|msg:|template:|modèle:|vorlage:|plantilla:|predefinição:|шаблон:)\s*", "", key
        )
        found = self.exact.get(key)
        if found is not None:
            return found
        function, colon, _ = key.partition(":")
        if colon and function + ":" in self.exact:
            return self.exact[function + ":"]
        for rules, is_at in ((self.starts, key.startswith), (self.ends, key.endswith)):
            if longest := max(filter(is_at, rules), key=len, default=""):
                return rules[longest]
        return None


@cache
def _tables() -> dict[str, dict[str, str | Rule]]:
    """``templates.txt``: by language and name, what is shown."""
    found: dict[str, dict[str, str | Rule]] = {}
    for lang, shown, names in _rows("templates.txt"):
        rule = _compiled(shown)
        for code in lang.split():
            found.setdefault(code, {}).update(dict.fromkeys(names, rule))
    return found


def _compiled(shown: str) -> str | Rule:
    if shown.startswith("@"):
        name, _, given = shown[1:].partition(" ")
        return FUNCTIONS[name](given)
    if shown in _WORDS:
        return _WORDS[shown]
    quoted = len(shown) > 1 and shown.startswith('"') and shown.endswith('"')
    return pattern(shown[1:-1] if quoted else shown)


def _rows(name: str) -> Iterator[tuple[str, str, list[str]]]:
    """The rows of a table: the section it stands in, what is left of ``<-``, and the names right of it."""
    section = _EVERYWHERE
    for line in files(__package__).joinpath(name).read_text("utf-8").split("\n"):
        if _SECTION.fullmatch(line):
            section = line[1:-1]
        elif line and not line.startswith("#"):
            shown, _, names = line.rpartition("<-")
            yield section, shown.strip(), [part.strip().lower() for part in names.split(" | ") if part.strip()]


@lru_cache(maxsize=512)
def _names(table: str, lang: str, *likes: str) -> frozenset[str]:
    """The names in a table for a language, those that it is like, and English; for "" those for all languages."""
    rows = {shown: names for _, shown, names in _rows(table)}
    chosen = {lang, *likes, "en"} & rows.keys() if lang else rows
    return frozenset(name for code in chosen for name in rows[code])


ANY = Wiki()
"""A wiki about which nothing is known."""
