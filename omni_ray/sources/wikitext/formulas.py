"""Formulas in TeX that can be said in plain characters: ``x_1^2``, ``\\alpha + 1``, ``O(n)``."""

from __future__ import annotations

import re

_MAX_CHARS = 40
_LETTERS = dict(
    zip(
        [
            "alpha",
            "beta",
            "gamma",
            "delta",
            "epsilon",
            "varepsilon",
            "zeta",
            "eta",
            "theta",
            "vartheta",
            "iota",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
            "pi",
            "rho",
            "sigma",
            "tau",
            "upsilon",
            "phi",
            "varphi",
            "chi",
            "psi",
            "omega",
            "Gamma",
            "Delta",
            "Theta",
            "Lambda",
            "Xi",
            "Pi",
            "Sigma",
            "Phi",
            "Psi",
            "Omega",
        ],
        "αβγδεεζηθϑικλμνξπρστυφφχψωΓΔΘΛΞΠΣΦΨΩ",
        strict=True,
    )
)
_SIGNS = {
    "times": "×", "cdot": "·", "pm": "±", "mp": "∓", "infty": "∞", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "ne": "≠",
    "to": "→", "rightarrow": "→", "leftarrow": "←", "in": "∈", "subset": "⊂", "cup": "∪", "cap": "∩", "emptyset": "∅", "ldots": "…",
    "dots": "…", "cdots": "…", "approx": "≈", "sim": "~", "ell": "ℓ", "hbar": "ℏ", "partial": "∂", "nabla": "∇", "circ": "°", "deg": "°",
    "degree": "°", "prime": "′", "log": "log", "ln": "ln", "sin": "sin", "cos": "cos", "tan": "tan", "exp": "exp", "max": "max",
    "min": "min", "lim": "lim", "mod": "mod", "left": "", "right": "", "displaystyle": "", "textstyle": "", "quad": " ", "R": "ℝ", "N": "ℕ",
    "Z": "ℤ", "lt": "<", "gt": ">",
}  # fmt: skip
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_STYLED = re.compile(
    r"\\(?:mathrm|mathbf|mathit|mathsf|mathcal|mathfrak|text|textrm|textit|operatorname|rm|bf|mbox|vec|boldsymbol) ?\{([^{}\\]*)\}"
)
_DOUBLE_STRUCK = re.compile(r"\\mathbb ?\{?([RNZQC])\}?")
_SPACE = re.compile(r"\\[,;:! ]|~")
_RAISED = re.compile(r"\^(?:\{([0-9+\-ni]{1,6})\}|([0-9ni]))")
_LOWERED = re.compile(r"_(?:\{([0-9+\-aeijkmnopx]{1,4})\}|([0-9aeijkmnopx]))")
_SUPERSCRIPT = str.maketrans("0123456789+-ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱ")
_SUBSCRIPT = str.maketrans("0123456789+-aeijkmnopx", "₀₁₂₃₄₅₆₇₈₉₊₋ₐₑᵢⱼₖₘₙₒₚₓ")
_HARD = re.compile(r"[\\{}^_=&|\n]")


def plain_formula(tex: str) -> str:
    """The formula in plain characters; "" where it needs more than a line of them, or is an equation."""
    if len(tex) > 4 * _MAX_CHARS:
        return ""
    text = _DOUBLE_STRUCK.sub(lambda match: dict(zip("RNZQC", "ℝℕℤℚℂ", strict=True))[match[1]], tex.strip())
    text = _SPACE.sub(" ", _STYLED.sub(r"\1", text))
    text = _COMMAND.sub(lambda match: _LETTERS.get(match[1]) or _SIGNS.get(match[1], match[0]), text)
    text = _RAISED.sub(lambda match: (match[1] or match[2]).translate(_SUPERSCRIPT), text)
    text = _LOWERED.sub(lambda match: (match[1] or match[2]).translate(_SUBSCRIPT), text)
    return "" if _HARD.search(text) or len(text) > _MAX_CHARS else " ".join(text.split())
