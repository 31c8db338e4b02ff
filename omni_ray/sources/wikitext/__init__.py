"""Wikitext to plain paragraphs: what a reader sees as running text, and nothing else.

All of it is linear in the length of the page, hostile markup included. First (:mod:`.expand`) one pass over the marks
that nest cuts out tables, references, pictures and the like, and replaces every template with what the tables
(``templates.txt``) say it shows. Then (:mod:`.inline`) links, tags, quotes and entities are rendered, by regular
expressions over whole sections rather than node by node. :mod:`.unknown` decides about templates that no table knows.
"""

from omni_ray.sources.wikitext.render import Rendered, is_redirect, render
from omni_ray.sources.wikitext.wiki import Wiki

__all__ = ["Rendered", "Wiki", "is_redirect", "render"]
