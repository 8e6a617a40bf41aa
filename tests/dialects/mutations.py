"""Bodies with something odd at one place, for property tests of what a parser does with them."""

from __future__ import annotations

from hypothesis import strategies as st

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**30, -(10**400), 1e308, 0.5])
    | st.text(max_size=8)
    | st.sampled_from(
        "text function auto none user assistant tool_result thinking any object array data: data:image/png;base64, "
        "http://[ #/$defs/node".split()
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(value, path=()):
    """Return the path of everything inside JSON."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in inner for place in places(child, (*path, key)))]


def changed(value, path, new):
    """Return a copy in which `new` stands at a path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy
