from fake_notebook import FakeNotebook

from dnetkit.stage import Slot, can_redraw, show


def test_only_a_kernel_can_redraw(tmp_path):
    assert not can_redraw(None)
    for live in (True, False):
        notebook = FakeNotebook(tmp_path, live)
        assert can_redraw(notebook.shell) is live
        notebook.close()


def outputs_of(notebook, act):
    notebook.shell.user_ns["act"] = act
    return [output["data"]["text/plain"] for output in notebook.run("act()").outputs]


def put_twice(live):
    slot = Slot(live)
    slot.put(1)
    show("between")
    slot.put(2)


def test_a_slot_is_redrawn_in_its_place(notebook):
    assert outputs_of(notebook, lambda: put_twice(True)) == ["2", "'between'"]


def test_where_nothing_can_be_redrawn_it_comes_below(notebook):
    assert outputs_of(notebook, lambda: put_twice(False)) == ["1", "'between'", "2"]
