import dataclasses

import pytest


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%%host ", ["host1"]),
        ("%%host h", ["host1"]),
        ("%lab engine restart ", ["host1"]),
        ("%%container ", ["same", "web"]),  # 'old' does not run
        ("%%container w", ["web"]),
        ("%%exercise veth-pair\nip link\n%%container we", ["web"]),
        ("%diagram --detail full --focus ", ["client", "host1", "same", "web"]),
        ("%diagram --focus=we", ["web"]),
    ],
)
def test_tab_offers_names_and_nothing_else(notebook, line, offered):
    notebook.run("%lab open")
    assert notebook.complete(line) == offered


def test_a_name_with_a_dash_is_completed_as_one_word(notebook):
    notebook.run("%lab open")
    old = notebook.lab.state.containers[0]
    notebook.lab.state = dataclasses.replace(
        notebook.lab.state, containers=(dataclasses.replace(old, name="web-one.a"),)
    )
    assert notebook.complete("%%container web-o") == ["web-one.a"]


def test_containers_of_one_name_are_told_apart_by_their_host(notebook):
    notebook.run("%lab open")
    one = notebook.lab.state.containers[0]
    other = dataclasses.replace(one, machine="host2")
    notebook.lab.state = dataclasses.replace(notebook.lab.state, containers=(one, other))
    assert notebook.complete("%%container ") == ["host1/web", "host2/web"]


def test_without_a_lab_there_is_nothing_to_offer_and_no_error(notebook):
    assert "web" not in notebook.complete("%%container w")
    notebook.run("%lab open")
    notebook.lab.close()
    assert "web" not in notebook.complete("%%container w")


def test_python_is_completed_as_before(notebook):
    notebook.run("%lab open\nwebsite = 1")
    assert "website" in notebook.complete("webs")
    assert notebook.complete("print(lab.hos") != []


def test_loading_anew_offers_each_name_once(notebook):
    before = len(notebook.shell.Completer.custom_matchers)
    notebook.reload()
    assert len(notebook.shell.Completer.custom_matchers) == before
