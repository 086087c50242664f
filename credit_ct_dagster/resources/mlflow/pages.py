"""Lists that MLflow gives in pages."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # MLflow takes seconds to import
    from mlflow.store.entities.paged_list import PagedList

_T = TypeVar("_T")


def all_pages(fetch: "Callable[[str | None], PagedList[_T]]") -> Iterator[_T]:
    """Every item of a paged list.

    Args:
        fetch: Fetches the page of a token; None stands for the first page.
    """
    token = None
    while True:
        page = fetch(token)
        yield from page
        token = page.token
        if not token:
            return
