"""``{{Bio}}``, which writes the first sentence of nearly every biography in the Italian Wikipedia."""

from __future__ import annotations

from omni_ray.sources.wikitext.rules import Call

_BEFORE_VOWEL = "aeiouàèéìòùAEIOU"


def biography(call: Call) -> str | None:
    """``Nome Cognome (born – died) è stato un attività nazionalità``."""
    get = call.get
    name = " ".join(filter(None, (get("titolo"), get("nome"), get("cognome"))))
    if not name:
        return None
    born, died = _event(call, "nascita"), _event(call, "morte")
    life = f" ({' – '.join(filter(None, (born, died)))})" if born or died else ""
    work = [get(key) for key in ("attività", "attività2", "attività3") if get(key)]
    if not work:
        return f"{name}{life}{get('postnazionalità')}"
    others = get("attivitàaltre").strip()
    nation = get("nazionalità")
    woman = get("sesso").upper() == "F"
    verb = ("è stata" if woman else "è stato") if died else "è"
    listed = ", ".join(work[:-1]) + " e " + work[-1] if len(work) > 1 else work[0]
    last = " ".join(filter(None, (f"{listed}{others}", nation)))
    return f"{name}{life} {verb} {_article(work[0], woman)}{last}{get('postnazionalità').rstrip('.')}."


def _event(call: Call, what: str) -> str:
    when = f"{call.get('giornomese' + what)} {call.get('anno' + what)}".strip()
    return ", ".join(filter(None, (call.get("luogo" + what), when if when != "?" else "")))


def _article(word: str, woman: bool) -> str:
    bare = word.lstrip("[")
    if woman:
        return "un'" if bare[:1] in _BEFORE_VOWEL else "una "
    hard = bare[:1] in "zZ" or bare[:2] in ("ps", "gn", "pn") or (bare[:1] == "s" and bare[1:2] not in _BEFORE_VOWEL)
    return "uno " if hard else "un "
