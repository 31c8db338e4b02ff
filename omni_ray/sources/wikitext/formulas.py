"""Formulas in TeX that can be said in plain characters: ``x_1^2``, ``\\alpha = 1``, ``O(n)``."""

from __future__ import annotations

import re

_MAX_CHARS = 80
_LETTERS = dict(
    zip(
        """
        alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi rho sigma tau
        upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega
        """.split(),
        "αβγδεεζηθϑικλμνξπρστυφφχψωΓΔΘΛΞΠΣΦΨΩ",
        strict=True,
    )
)
_SIGNS = {
    "times": "×", "cdot": "·", "pm": "±", "mp": "∓", "infty": "∞", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "ne": "≠",
    "to": "→", "rightarrow": "→", "leftarrow": "←", "in": "∈", "subset": "⊂", "cup": "∪", "cap": "∩", "emptyset": "∅", "ldots": "…",
    "dots": "…", "cdots": "…", "approx": "≈", "sim": "~", "ell": "ℓ", "hbar": "ℏ", "partial": "∂", "nabla": "∇", "circ": "°", "deg": "°",
    "degree": "°", "prime": "′", "log": "log", "ln": "ln", "sin": "sin", "cos": "cos", "tan": "tan", "exp": "exp", "max": "max",
    "min": "min", "lim": "lim", "mod": "mod", "sum": "∑", "prod": "∏", "int": "∫", "equiv": "≡",
    "mapsto": "↦", "implies": "⇒", "Rightarrow": "⇒", "iff": "⇔", "forall": "∀", "exists": "∃", "notin": "∉", "subseteq": "⊆",
    "setminus": "∖", "otimes": "⊗", "oplus": "⊕", "langle": "⟨", "rangle": "⟩", "colon": ":", "mid": "|", "R": "ℝ", "N": "ℕ",
    "Z": "ℤ", "lt": "<", "gt": ">",
}  # fmt: skip
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_STYLED = re.compile(
    r"\\(?:mathrm|mathbf|mathit|mathsf|mathcal|mathfrak|text|textrm|textit|operatorname|rm|bf|mbox|vec|boldsymbol) ?\{([^{}\\]*)\}"
)
_DOUBLE_STRUCK = re.compile(r"\\mathbb ?\{?([RNZQC])\}?")
_ACCENTED = re.compile(r"\\(hat|bar|overline|tilde|dot|ddot) ?(?:\{([^\W\d_])\}|(?<!\\)([^\W\d_])\b)")
_ACCENTS = {
    "hat": "\u0302",
    "bar": "\u0304",
    "overline": "\u0304",
    "tilde": "\u0303",
    "dot": "\u0307",
    "ddot": "\u0308",
}
_FRACTION = re.compile(r"\\[dt]?frac ?(?:\{([^{}]*)\} ?\{([^{}]*)\}|(\d)(\d))")
_ROOT = re.compile(r"\\sqrt ?(?:\{([^{}]*)\}|(\w))")
_SPACE = re.compile(r"\\(?:[,;:! ]|q?quad\b)|~")
_SIZED = re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])\.?|\\(?:display|text)style\b|\\limits\b")
_RAISED = re.compile(r"\^(?:\{([0-9+\-ni]{1,6})\}|([0-9ni]))")
_LOWERED = re.compile(r"_(?:\{([0-9+\-aeijkmnopx]{1,4})\}|([0-9aeijkmnopx]))")
_PLACED = re.compile(r"([\^_])\{([^{}\\]*)\}")
_SUPERSCRIPT = str.maketrans("0123456789+-ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ")
_SUBSCRIPT = str.maketrans("0123456789+-aeijkmnopx", "₀₁₂₃₄₅₆₇₈₉₊₋ₐₑᵢⱼₖₘₙₒₚₓ")
_ONE = re.compile(r"\d+(?:\.\d+)?|d?[^\W\d_][\u2070-\u209f²³¹′\u0300-\u0308]*|\([^()]*\)")
_BRACES = {"\\{": "\x02", "\\}": "\x03"}
_MAX_NESTED = 4
_HARD = re.compile(r"[\\{}&\n]")


def plain_formula(tex: str) -> str:
    """The formula in plain characters: ``E = mc²``, ``(a+b)/2``, ``x^k``; "" where it needs more than a line of them."""
    if len(tex) > 4 * _MAX_CHARS:
        return ""
    for written, kept in _BRACES.items():
        tex = tex.replace(written, kept)
    text = _DOUBLE_STRUCK.sub(lambda match: dict(zip("RNZQC", "ℝℕℤℚℂ", strict=True))[match[1]], tex.strip())
    text = _SIZED.sub("", _SPACE.sub(" ", _STYLED.sub(r"\1", text)))
    text = _ACCENTED.sub(lambda match: (match[2] or match[3]) + _ACCENTS[match[1]], text)
    text = _COMMAND.sub(lambda match: _LETTERS.get(match[1]) or _SIGNS.get(match[1], match[0]), text)
    for _ in range(_MAX_NESTED):
        text = _RAISED.sub(lambda match: (match[1] or match[2]).translate(_SUPERSCRIPT), text)
        text = _LOWERED.sub(lambda match: (match[1] or match[2]).translate(_SUBSCRIPT), text)
        text = _PLACED.sub(lambda match: match[1] + (match[2] if len(match[2]) == 1 else f"({match[2]})"), text)
        text = _FRACTION.sub(lambda match: f"{_whole(match[1] or match[3])}/{_whole(match[2] or match[4])}", text)
        text = _ROOT.sub(lambda match: f"√{_whole(match[1] or match[2])}", text)
    if _HARD.search(text) or len(text) > _MAX_CHARS:
        return ""
    return " ".join(text.replace("\x02", "{").replace("\x03", "}").split())


def _whole(part: str) -> str:
    """A part of a formula as one term: in brackets if it is several."""
    part = part.strip()
    return part if _ONE.fullmatch(part) else f"({part})"
