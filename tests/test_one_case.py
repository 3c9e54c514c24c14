"""`--one-case` chooses one case of each test, and over the tests of a file all cases in turn."""

from __future__ import annotations

from types import SimpleNamespace

from conftest import pytest_collection_modifyitems


class Item(SimpleNamespace):
    def __hash__(self):
        return hash(self.nodeid)

    def get_closest_marker(self, mark):
        return None


def test_each_test_has_one_case_in_turn():
    names = [f"{test}[{case}]" for test in ("a", "b", "c") for case in "xyz"] + ["d", "e[x-y]", "e[x-z]"]
    items = [Item(path=path, nodeid=f"{path}::{name}") for path in ("one.py", "two.py") for name in names]
    deselected = []
    hook = SimpleNamespace(pytest_deselected=lambda items: deselected.extend(items))
    given = list(items)
    pytest_collection_modifyitems(SimpleNamespace(getoption=lambda name: name == "one_case", hook=hook), items)
    chosen = ["a[x]", "b[y]", "c[z]", "d", "e[x-y]"]
    assert [item.nodeid for item in items] == [f"{path}::{name}" for path in ("one.py", "two.py") for name in chosen]
    assert sorted(item.nodeid for item in [*items, *deselected]) == sorted(item.nodeid for item in given)
