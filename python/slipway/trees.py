"""How a method's flattened values nest, as torch.export has it."""

import collections
import collections.abc
import functools


@functools.cache
def named_tuple(name, fields):
    return collections.namedtuple(name or "Output", fields, rename=True)


def is_flat(tree):
    """Whether arguments are given one by one, without keywords."""
    arguments, keywords = tree["children"]
    return not keywords.get("children") and all(child["kind"] == "leaf" for child in arguments.get("children", ()))


def flatten(tree, value, path, leaves):
    """Appends the leaves of a value that nests as the tree does."""
    kind, children = tree["kind"], tree.get("children", ())
    if kind == "leaf":
        leaves.append(value)
    elif kind == "none":
        if value is not None:
            raise TypeError(f"{path} must be None")
    elif kind == "dict":
        keys = tree.get("keys", ())
        by_name = {str(key): item for key, item in value.items()} if hasattr(value, "items") else None
        if by_name is None or by_name.keys() != set(keys) or len(by_name) != len(value):
            given = list(by_name) if by_name is not None else type(value).__name__
            raise TypeError(f"{path} must be a dict with the keys {list(keys)}, and is {given}")
        for key, child in zip(keys, children):
            flatten(child, by_name[key], f"{path}[{key!r}]", leaves)
    else:
        if isinstance(value, (str, bytes)) or not isinstance(value, collections.abc.Sequence):
            raise TypeError(f"{path} must be a {kind} of {len(children)}, and is a {type(value).__name__}")
        if len(value) != len(children):
            raise TypeError(f"{path} must be a {kind} of {len(children)}, and has {len(value)}")
        for position, child in enumerate(children):
            flatten(child, value[position], f"{path}[{position}]", leaves)


def unflatten(tree, leaves):
    """The value that nests so, of an iterator over its leaves. Dicts have the keys' texts."""
    kind, children = tree["kind"], tree.get("children", ())
    if kind == "leaf":
        return next(leaves)
    if kind == "none":
        return None
    items = [unflatten(child, leaves) for child in children]
    if kind == "dict":
        return dict(zip(tree.get("keys", ()), items))
    if kind == "tuple":
        return tuple(items)
    if kind == "namedtuple":
        fields = tuple(tree.get("keys", ())) or tuple(f"_{i}" for i in range(len(items)))
        return named_tuple(tree.get("type_name", "").rpartition(".")[2], fields)(*items)
    return items
