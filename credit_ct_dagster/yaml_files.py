"""YAML that people write into a file: it is read as it is meant, or refused with the line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_TEXT = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"


class UnusableYamlError(Exception):
    """What is wrong with a file, as the rest of a sentence that begins with its name."""


def read_yaml(path: Path) -> Any:
    """The content of a file; None of /dev/null, and of one that has nothing but comments.

    PyYAML takes the last one of two values with the same name, without a word.

    Raises:
        UnusableYamlError: The file cannot be read, is empty or no YAML, or a name in it is there
            twice, or no text.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UnusableYamlError(f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UnusableYamlError(f"is not UTF-8 (line {line}): save it in that encoding") from error
    if not text.strip() and not path.is_char_device():
        raise UnusableYamlError("is empty")
    loader = yaml.SafeLoader(text)
    # Of a value that does not go with its tag, such as 2025-02-30, PyYAML raises whatever it meets.
    try:
        root = loader.get_single_node()
        for mapping in _mappings(root):
            _require_names(mapping)
        return None if root is None else loader.construct_document(root)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise UnusableYamlError(f"is not YAML: {' '.join(str(error).split())}") from error
    finally:
        loader.dispose()


def _mappings(root: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    """Each once, however often an alias repeats it."""
    seen: set[int] = set()
    ahead = [root]
    while ahead:
        node = ahead.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            ahead += [part for pair in node.value for part in pair]
        else:
            ahead += node.value


def _require_names(mapping: yaml.MappingNode) -> None:
    lines: dict[str, int] = {}
    for name, _ in mapping.value:
        line = name.start_mark.line + 1
        if name.tag == _MERGE:
            continue
        if name.tag != _TEXT:
            raise UnusableYamlError(
                f"cannot be used: the name in line {line} must be text: put it in quotes"
            )
        if name.value in lines:
            raise UnusableYamlError(
                f"cannot be used: '{name.value}' is there twice, in line {lines[name.value]} and"
                f" in line {line}"
            )
        lines[name.value] = line
