# generated from common/cli/kinds.py, do not edit: `make copies`
"""Tells whether a value is of a kind, and describes kinds in words; a kind is a JSON schema."""

import math
from functools import cache
from typing import Annotated, Any

# Numbers with a range, for the parameters of commands: pairs of a kind, because annotations
# must be hashable
Count = Annotated[int, ("type", "integer"), ("minimum", 1)]
Several = Annotated[int, ("type", "integer"), ("minimum", 2)]
Seed = Annotated[int, ("type", "integer"), ("minimum", 0), ("maximum", 2**32 - 1)]
Whole = Annotated[int, ("type", "integer"), ("minimum", 0)]
Fraction = Annotated[float, ("type", "number"), ("exclusiveMinimum", 0), ("exclusiveMaximum", 1)]
Positive = Annotated[float, ("type", "number"), ("exclusiveMinimum", 0)]

NAMES = {"boolean": "True or False", "string": "a text", "null": "None", "object": "a dictionary"}


def is_expression(value: Any) -> bool:
    """Tells whether a value is, or holds, an expression or a reference of a config."""
    if isinstance(value, str):
        return value.startswith(("$", "@", "%"))
    if isinstance(value, dict):
        return "_target_" in value or any(map(is_expression, value.values()))
    return isinstance(value, (list, tuple)) and any(map(is_expression, value))


def is_valid(value: Any, kind: dict) -> bool:
    """Tells whether a value is of a kind; an expression always is.

    A whole number is no True and no 2.0, a number is finite, and a tuple is a list.
    """
    return is_expression(value) or _validator().evolve(schema=kind).is_valid(value)


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend  # serving does without

    def is_integer(checker, value) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    def is_number(checker, value) -> bool:
        return is_integer(checker, value) or isinstance(value, float) and math.isfinite(value)

    def is_array(checker, value) -> bool:
        return isinstance(value, (list, tuple))

    strict = {"integer": is_integer, "number": is_number, "array": is_array}
    checker = Draft202012Validator.TYPE_CHECKER.redefine_many(strict)
    return extend(Draft202012Validator, type_checker=checker)({})


def kind_of_literal(literal: Any) -> dict:
    """Returns the kind of a literal in a config: the kind of the values that may replace it.

    An expression and None may become anything; a list of numbers stays one of numbers.
    """
    if literal is None or isinstance(literal, str) and is_expression(literal):
        return {}
    if isinstance(literal, dict):
        return {"type": ["object", "array", "null"]}
    if isinstance(literal, (list, tuple)):
        types = {_type_of(item) for item in literal}
        items = {"type": types.pop()} if len(types) == 1 and None not in types else {}
        return {"type": ["array", "null"], "items": items}
    return {"type": [_type_of(literal), "null"]}


def _type_of(literal: Any) -> str | None:
    """Returns the JSON type of a plain literal; None for lists, dictionaries and expressions."""
    if is_expression(literal):
        return None
    return {bool: "boolean", int: "integer", float: "number", str: "string"}.get(type(literal))


def show(value: Any) -> str:
    """Describes a value: `the text 'false'`, `the number 64`, `[1, 2]`."""
    if isinstance(value, str):
        return f"the text {value!r}"
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f"the number {value}" if is_number else repr(value)


def describe(kind: dict) -> str:
    """Describes a kind: `a list of 3 numbers above 0 in mm, as [1.5, 1.5, 2.0]`."""
    if "enum" in kind:
        return " or ".join(map(str, kind["enum"])) or kind["description"]
    if "anyOf" in kind:
        text = " or ".join(map(_describe_type, kind["anyOf"]))
    else:
        types = kind.get("type", [])
        types = [types] if isinstance(types, str) else types
        text = " or ".join(_describe_type({**kind, "type": name}) for name in types)
    unit = f" in {kind['unit']}" if "unit" in kind else ""
    examples = f", as {kind['examples'][0]}" if "examples" in kind else ""
    return f"{text}{unit}{examples}"


def _describe_type(kind: dict) -> str:
    """Describes a kind of one type."""
    if "enum" in kind:
        return describe(kind)
    name = kind["type"]
    if name in ("integer", "number"):
        return f"a {_describe_number(kind)}"
    if name == "array":
        items = kind.get("items", {})
        is_numbers = items.get("type") in ("integer", "number")
        of_what = _describe_number(items, "s") if is_numbers else "values"
        count = f"{kind['minItems']} " if kind.get("minItems") == kind.get("maxItems", 0) else ""
        return f"a list of {count}{of_what}"
    return NAMES[name]


def _describe_number(kind: dict, plural: str = "") -> str:
    """Describes a number and its range: `number from 0 to below 1`, `whole numbers above 0`."""
    if "multipleOf" in kind:
        return f"multiple{plural} of {kind['multipleOf']}"
    noun = ("whole number" if kind["type"] == "integer" else "number") + plural
    low = {"minimum": "from", "exclusiveMinimum": "above"}
    high = {"maximum": "up to", "exclusiveMaximum": "to below"}
    words = [f"{word} {kind[key]}" for key, word in (low | high).items() if key in kind]
    if len(words) == 1 and "minimum" in kind:
        words = [f"of {kind['minimum']} or more"]
    return " ".join([noun, *words])
