# generated from common/data/cache_key.py, do not edit: `make copies`
"""Computes names for cached volumes: equal for equal files and equal transforms alone."""

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import monai
import numpy as np
import torch
from monai.transforms import Compose, Transform
from monai.transforms.traits import RandomizableTrait

from .image_files import list_image_files

RANDOM_STATE = "R"  # attribute of MONAI's transforms: what has been drawn changes no cached volume


def key_of_files(item: Mapping[str, Any]) -> str:
    """Computes the key of an item's files from their path, size and time of change.

    Args:
        item: `{"image": path, "label": path}`; of an image in two files both count.
    """
    items = sorted(item.items())
    facts = [(name, *_facts_of(file)) for name, path in items for file in list_image_files(path)]
    return _digest(repr(facts))


def key_of_transforms(transform: Compose) -> str:
    """Computes the key of the deterministic transforms, those before the first random one.

    Class, arguments and the code of functions count, at any depth, the version of MONAI, and the
    source of this package, whose readers and transforms use one another. So another version of the
    bundle makes volumes anew.
    """
    first = transform.get_index_of_first(
        lambda each: isinstance(each, RandomizableTrait) or not isinstance(each, Transform)
    )
    transforms = transform.flatten().transforms[:first]
    return _digest(repr([monai.__version__, _source_of_package(), *map(_describe, transforms)]))


@cache
def _source_of_package() -> str:
    """Digests the source of all modules of this package."""
    folder = Path(__file__).parent
    files = sorted(folder.rglob("*.py"))
    return _digest(repr([(str(f.relative_to(folder)), f.read_text()) for f in files]))


@cache
def _source_of(module: str) -> str:
    """Digests the source of a module; "" for one that is not written in Python."""
    path = str(getattr(sys.modules.get(module), "__file__", None) or "")
    is_source = path.endswith(".py") and Path(path).is_file()
    return _digest(Path(path).read_text(errors="replace")) if is_source else ""


def _facts_of(path: Any) -> tuple:
    status = os.stat(path)
    return str(Path(path).resolve()), status.st_size, status.st_mtime_ns


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _codes_of(code: CodeType) -> Iterator[CodeType]:
    """Yields a function's code, and that of each lambda, comprehension and function in it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes_of(each)


def _globals_of(function: FunctionType) -> dict[str, Any]:
    """Returns the global values that a function uses.

    A config's `@name` in a lambda is an item of a global dictionary, of which that item counts.
    """
    codes, names = list(_codes_of(function.__code__)), function.__globals__
    constants = [each for code in codes for each in code.co_consts]
    values = {name: names[name] for code in codes for name in code.co_names if name in names}
    for name, value in values.items():
        if isinstance(value, Mapping):
            values[name] = {key: value[key] for key in constants if key in value}
        elif isinstance(value, ModuleType):
            values[name] = value.__name__
    return values


def _is_of_module(function: FunctionType) -> bool:
    """Tells whether a function is found by its name in a module, whose source has its code."""
    module = sys.modules.get(function.__module__)
    return getattr(module, function.__qualname__, None) is function and bool(
        _source_of(function.__module__)
    )


def _describe(value: Any) -> Any:
    """Describes a value by plain data that have the same text in every process."""
    if isinstance(value, FunctionType) and _is_of_module(value):
        return value.__module__, value.__qualname__, _source_of(value.__module__)
    if isinstance(value, FunctionType):
        closure = [cell.cell_contents for cell in value.__closure__ or ()]
        return _describe([value.__code__, value.__defaults__, closure, _globals_of(value)])
    if isinstance(value, CodeType):  # its own text has an address
        return value.co_code, value.co_names, [_describe(each) for each in value.co_consts]
    if isinstance(value, partial):
        return _describe([value.func, value.args, value.keywords])
    if isinstance(value, (torch.Tensor, np.ndarray)):
        return np.asarray(value).tolist()
    if isinstance(value, Mapping):
        return [(_describe(key), _describe(each)) for key, each in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_describe(each) for each in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, type):
        sources = [_source_of(base.__module__) for base in value.__mro__]
        return value.__module__, value.__qualname__, sources
    if hasattr(value, "__dict__"):
        attributes = {k: v for k, v in vars(value).items() if k != RANDOM_STATE}
        return _describe(type(value)), _describe(attributes)
    return str(value)
