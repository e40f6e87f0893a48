import dataclasses
import subprocess

import fake_lab
import pytest
from fake_notebook import FakeNotebook

from dnetkit import errors
from dnetkit.model import Step

LINES = [
    "%%host\nls",
    "%%client\nls",
    "%%container web\nls",
    "%snapshot",
    "%diagram",
    "%diff",
    "%counters",
    "%check ports('host1', 'docker0', 1)",
    "%lab engine restart",
    "%lab restart",
    "%lab log",
]


@pytest.fixture
def opened(notebook):
    notebook.run("%lab open")
    return notebook


def start_two(lab):
    """What `docker run --name two` would do, as far as is needed here."""
    two = dataclasses.replace(lab.state.containers[0], id="9", name="two", namespace="host1/two", ports=())
    lab.state = dataclasses.replace(lab.state, containers=(*lab.state.containers, two))


def take_down(lab):
    lab.state = fake_lab.change_link(lab.state, "host1", "veth5", up=False, state="DOWN")


# A lab, or none


@pytest.mark.parametrize("cell", LINES)
def test_without_a_lab_the_message_names_the_cell_to_run(notebook, cell):
    shown = notebook.run(cell)
    assert type(shown.error) is errors.LabError
    assert shown.trace.startswith("LabError: There is no lab.\n")
    assert "Run the cell with `%lab open` first" in shown.trace
    assert "magics.py" not in shown.trace


@pytest.mark.parametrize("cell", LINES[:-2])
def test_when_the_lab_has_ended_the_message_says_how_to_go_on(opened, cell):
    opened.lab.close()
    shown = opened.run(cell)
    assert type(shown.error) is errors.LabError
    assert f"Lab {opened.lab.id} has ended." in shown.trace
    assert "`%lab open` opens a fresh one" in shown.trace


def test_open_shows_the_lab_and_puts_it_within_reach(notebook):
    shown = notebook.run("%lab open")
    assert len(shown.outputs) == 1  # the progress has made way for it
    assert f"Lab {notebook.lab.id} is open" in shown.plain
    assert notebook.run("lab.host.name").plain.strip() == "'host1'"


def test_without_a_kernel_the_progress_stays(tmp_path):
    notebook = FakeNotebook(tmp_path, live=False)
    shown, again = notebook.run("%lab open"), notebook.run("%lab restart")
    notebook.close()
    assert "Starting the engine of `host1` again ...\n" in again.plain
    assert "redis: unpacking 0%\nStarting the engine of `host1` ...\n" in shown.plain  # a line for each step
    assert "is open" in shown.plain


def test_an_image_that_another_stands_for_is_named_as_what_it_is(notebook):
    shown = notebook.run("%lab open --images alpine,redis")
    assert "Images: alpine (no registry has it here: busybox stands for it), redis" in shown.plain


def test_open_asks_for_what_the_options_say_and_nothing_else(notebook):
    notebook.run("%lab open --hosts 2 --no-client --sandbox rootless --images redis,busybox --engine 28.5.2")
    assert notebook.lab.requested == {
        "hosts": 2, "client": False, "sandbox": "rootless", "images": ("redis", "busybox"), "engine": "28.5.2",
    }  # fmt: skip
    notebook.run("%lab open")
    assert notebook.lab.requested == fake_lab.FakeLab().requested


def test_a_lab_without_an_engine_is_asked_for_by_the_word_none(notebook):
    notebook.run("%lab open --hosts 2 --engine none")
    assert notebook.lab.requested == {**fake_lab.FakeLab().requested, "hosts": 2, "engine": None}


def test_the_environment_names_the_sandbox_unless_the_line_does(notebook, monkeypatch):
    monkeypatch.setenv("DNETKIT_SANDBOX", "root")
    notebook.run("%lab open")
    assert notebook.lab.requested["sandbox"] == "root"
    notebook.run("%lab open --sandbox rootless")
    assert notebook.lab.requested["sandbox"] == "rootless"


def test_a_second_open_closes_the_first_lab_and_says_so(opened):
    first = opened.lab
    shown = opened.run("%lab open")
    assert f"Closing lab {first.id}; a fresh one takes its place." in shown.plain
    assert not first.alive
    assert opened.lab.alive
    assert opened.lab is not first
    assert opened.shell.user_ns["lab"] is opened.lab


def test_a_mistake_in_the_line_leaves_the_lab_as_it_is(opened):
    shown = opened.run("%lab open --hosts none")
    assert isinstance(shown.error, errors.UsageError)
    assert opened.lab.alive
    assert len(opened.labs) == 1


def test_when_opening_fails_there_is_no_lab_and_the_reason_is_shown(notebook, monkeypatch):
    def refuse(**_):
        raise errors.EngineError("The engine did not start.", "See its log.", "level=fatal msg=no")

    monkeypatch.setattr(notebook.bench, "_open_lab", refuse)
    shown = notebook.run("%lab open")
    assert shown.trace.startswith("EngineError: The engine did not start.\nSee its log.\n")
    assert "level=fatal msg=no" in shown.trace
    assert "No lab is open" in notebook.run("%lab status").plain


def test_status(notebook):
    assert "No lab is open. `%lab open` opens one." in notebook.run("%lab").plain
    notebook.run("%lab open")
    assert f"Lab {notebook.lab.id} is open" in notebook.run("%lab status").plain
    notebook.lab.close()
    assert f"Lab {notebook.lab.id} has ended. `%lab open` opens a fresh one." in notebook.run("%lab").plain


def test_restart_gives_a_fresh_lab_also_after_it_has_ended(opened):
    before = opened.lab.id
    opened.run("%snapshot first")
    opened.lab.close()
    shown = opened.run("%lab restart")
    assert f"Lab {opened.lab.id} is open" in shown.plain
    assert opened.lab.id != before
    assert "There is no snapshot first" in opened.run("%diff first").trace
    assert opened.run("%%host\nls").error is None


def test_close_leaves_nothing(opened):
    shown = opened.run("%lab close")
    assert f"Lab {opened.lab.id} is closed; nothing of it is left." in shown.plain
    assert not opened.lab.alive
    assert "lab" not in opened.shell.user_ns
    assert "No lab was open." in opened.run("%lab close").plain


def test_close_does_not_take_away_a_variable_of_the_learner(opened):
    opened.run("lab = 5")
    opened.run("%lab close")
    assert opened.shell.user_ns["lab"] == 5


def test_log_shows_the_end_of_a_log_even_when_the_lab_has_ended(opened):
    assert "the last 50 lines of agent <log>" in opened.run("%lab log").plain
    opened.lab.close()
    assert "the last 200 lines of host1 <log>" in opened.run("%lab log host1 --lines 200").plain


BROKEN = errors.EngineError("The engine did not start.", "See its log.", "daemon.json: invalid <character>")


@pytest.mark.parametrize("action", ["start", "stop", "restart", "kill"])
def test_an_engine_is_a_service(opened, action):
    shown = opened.run(f"%lab engine {action}")
    assert opened.lab.ran == [("host1", f"engine {action}", 0.0)]
    assert shown.plain.startswith("The engine of `host1` ")
    assert opened.lab.alive


def test_what_a_restart_of_an_engine_changed_is_told(opened):
    opened.answers["engine restart"] = take_down
    assert "veth5" in opened.run("%lab engine restart host1").plain
    assert "veth5" in opened.run("%diff").plain
    opened.lab.state = fake_lab.snapshot()
    assert "veth5" not in opened.run("%lab engine restart host1 --no-diff").plain


def test_an_engine_that_does_not_start_is_an_error_with_its_own_words(opened):
    opened.answers["engine restart"] = BROKEN
    shown = opened.run("%lab engine restart")
    assert shown.error is BROKEN
    assert "daemon.json: invalid <character>" in shown.trace


def test_an_engine_that_is_expected_not_to_start_shows_its_words_and_the_notebook_goes_on(opened):
    opened.answers["engine restart"] = BROKEN
    shown = opened.run("%lab engine restart --expect-fail")
    assert shown.error is None
    assert "The engine did not start. (as expected)\ndaemon.json: invalid <character>" in shown.plain
    assert "invalid &lt;character&gt;" in shown.html


def test_an_engine_that_starts_though_it_was_not_to_is_an_error(opened):
    shown = opened.run("%lab engine start --expect-fail")
    assert isinstance(shown.error, errors.EngineError)
    assert "was expected to fail" in shown.trace


@pytest.mark.parametrize("name", ["client", "host9"])
def test_what_has_no_engine_is_named(opened, name):
    shown = opened.run(f"%lab engine restart {name}")
    assert isinstance(shown.error, errors.UnknownMachine)
    assert not opened.lab.ran


def test_only_log_takes_a_name(opened):
    assert "%lab close takes no name" in opened.run("%lab close host1").trace
    assert opened.lab.alive


def test_unloading_closes_the_lab(opened):
    opened.reload()
    assert not opened.lab.alive


# Cells


def test_lines_run_on_the_machine_that_the_magic_names(opened):
    opened.run("%%host\nip link")
    opened.run("%%host host1\nip addr")
    opened.run("%%client\nping host1")
    opened.run("%%container web --timeout 5\nps")
    assert opened.lab.ran == [
        ("host1", "ip link\n", 60.0),
        ("host1", "ip addr\n", 60.0),
        ("client", "ping host1\n", 60.0),
        ("web", "ps\n", 5.0),
    ]


def test_lines_of_python_are_one_program_that_begins_where_the_notebook_counts(opened):
    opened.run("%%host host1 --python\nfor n in range(3):\n    print(n)\n")
    opened.run("%%client --python --timeout 5\nprint()")
    (_, program, _), (machine, _, timeout) = opened.lab.ran
    assert program.split("\n")[1:4] == ["", "for n in range(3):", "    print(n)"]
    assert subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True).stdout == "0\n1\n2\n"
    assert (machine, timeout) == ("client", 5.0)


def test_an_unknown_host_is_named_with_those_that_there_are(opened):
    shown = opened.run("%%host hots1\nls")
    assert type(shown.error) is errors.UnknownMachine
    assert "There is no host hots1. The hosts of this lab are: host1." in shown.trace
    assert "Did you mean host1?" in shown.trace
    assert opened.lab.ran == []


def test_a_container_is_no_host_but_there_is_a_magic_for_it(opened):
    assert "%%container web runs lines in a container." in opened.run("%%host web\nls").trace


def test_an_unknown_container_is_named_with_what_there_is(opened):
    shown = opened.run("%%container wbe\nls")
    assert isinstance(shown.error, errors.UnknownMachine)
    assert "There are: host1, client, web" in shown.trace


def test_a_lab_without_a_client_says_how_to_get_one(notebook):
    notebook.run("%lab open --no-client")
    shown = notebook.run("%%client\nls")
    assert shown.trace == "UnknownMachine: This lab has no client.\nOpen it without --no-client."


def test_a_failing_line_stops_the_cell_with_the_line_its_status_and_what_it_said(opened):
    opened.answers["docker run redis"] = Step("", 125, "", "Unable to find image 'redis:latest' locally\n")
    shown = opened.run("%%host\nls\ndocker run redis\nip link")
    assert type(shown.error) is errors.CommandError
    assert shown.trace == (
        "CommandError: host1: `docker run redis` failed with status 125.\n"
        "  Unable to find image 'redis:latest' locally\n"
        "A lab reaches no registry: `docker images` lists what is here. "
        "For another image open the lab with it: %lab open --images redis"
    )
    assert "ip link" not in shown.plain
    assert [step.source for step in shown.error.result.steps] == ["ls", "docker run redis"]


def test_expect_fail_turns_it_round(opened):
    opened.answers["false"] = Step("", 1)
    assert opened.run("%%host --expect-fail\nfalse").error is None
    assert isinstance(opened.run("%%host --expect-fail\ntrue").error, errors.CommandExpectedToFail)


def test_a_time_limit_is_an_error_that_says_what_to_do(opened):
    opened.answers["sleep 9"] = "hang"
    shown = opened.run("%%host --timeout 2\nsleep 9")
    assert isinstance(shown.error, errors.CommandTimeout)
    assert "`sleep 9` was still running after 2 s and was ended." in shown.trace
    assert "--timeout SECONDS" in shown.trace


def test_what_changed_is_shown_below_the_terminal(opened):
    opened.answers["down"] = take_down
    shown = opened.run("%%host\ndown")
    assert len(shown.outputs) == 2
    assert "host1# down" in shown.outputs[0]["data"]["text/plain"]
    assert "veth5" in shown.outputs[1]["data"]["text/plain"]


def test_a_cell_that_changed_nothing_shows_no_changes(opened):
    assert len(opened.run("%%host\nls").outputs) == 1


def test_no_diff_looks_at_nothing(opened):
    opened.answers["down"] = take_down
    taken = opened.lab.snapshots
    assert len(opened.run("%%host --no-diff\ndown").outputs) == 1
    assert opened.lab.snapshots == taken
    assert "No cell has been compared yet" in opened.run("%diff").trace


@pytest.mark.parametrize("end", [Step("", 1), KeyboardInterrupt(), "hang"])
def test_what_changed_before_a_line_that_failed_is_shown_too(opened, end):
    opened.answers.update(down=take_down, bad=end)
    shown = opened.run("%%host\ndown\nbad")
    assert shown.error is not None
    assert any("veth5" in output["data"]["text/plain"] for output in shown.outputs[1:])


def test_after_an_interrupt_the_next_cell_runs(opened):
    opened.answers["sleep 9"] = KeyboardInterrupt()
    shown = opened.run("%%host\nsleep 9")
    assert isinstance(shown.error, KeyboardInterrupt)
    assert "interrupted" in shown.outputs[0]["data"]["text/plain"]
    assert opened.run("%%host\nls").error is None


def test_a_lab_that_ends_in_mid_cell_is_said_so_and_can_be_opened_anew(opened):
    opened.answers["boom"] = lambda lab: lab.close() or errors.LabError("The lab has ended.", "`%lab open`")
    shown = opened.run("%%host\nls\nboom")
    assert type(shown.error) is errors.LabError
    assert "has ended" in opened.run("%%host\nls").trace
    assert opened.run("%lab open").error is None
    assert opened.run("%%host\nls").error is None


CHAPTER = ["%lab open", "%%host\nup", "%snapshot one", "%check ports('host1', 'docker0', 1)", "%diff", "%diagram"]


def test_run_all_works_any_number_of_times_also_after_an_interrupted_run(notebook):
    notebook.answers["up"] = start_two
    for interrupted in (False, False, True, False):
        notebook.answers["up"] = KeyboardInterrupt() if interrupted else start_two
        for cell in CHAPTER:
            shown = notebook.run(cell)
            assert (shown.error is None) is not (interrupted and "up" in cell), cell
            if shown.error:
                break
    assert len(notebook.labs) == 4
    assert [lab.alive for lab in notebook.labs] == [False, False, False, True]


# Snapshots, changes, pictures


def test_a_snapshot_is_shown_and_can_be_used(opened):
    shown = opened.run("%snapshot")
    assert "docker0" in shown.plain
    assert "docker0" in shown.html
    assert opened.run("state = %snapshot\nstate.lab").plain.strip() == "'cafe'"


@pytest.mark.parametrize("name", ["two words", "5", "a/b"])
def test_a_snapshot_has_a_name_of_one_word(opened, name):
    assert "is not a name for a snapshot" in opened.run(f"%snapshot {name}").trace


def test_diff_shows_the_last_cell_or_what_changed_since_a_snapshot(opened):
    opened.answers["down"] = take_down
    assert "No cell has been compared yet" in opened.run("%diff").trace
    opened.run("%snapshot before;")
    assert "Nothing changed." in opened.run("%diff before").plain
    opened.run("%%host\ndown")
    assert "veth5" in opened.run("%diff").plain
    opened.run("%snapshot after;")
    opened.run("%%host\nls")
    assert "Nothing changed." in opened.run("%diff").plain
    assert "veth5" in opened.run("%diff before").plain
    assert "veth5" in opened.run("%diff before after").plain
    assert "Nothing changed." in opened.run("%diff after").plain


def test_an_unknown_snapshot_is_named_with_those_that_there_are(opened):
    assert "%snapshot before takes one." in opened.run("%diff before").trace
    opened.run("%snapshot start;")
    assert "There is no snapshot before.\nThe named ones are: start." in opened.run("%diff before").trace


def test_counters_show_which_rules_counted(opened):
    def count(lab):
        rules = lab.state.namespace("host1").rules
        counted = tuple(dataclasses.replace(rule, packets=rule.packets + 2, bytes=rule.bytes + 168) for rule in rules)
        lab.state = fake_lab.change_namespace(lab.state, "host1", rules=counted)

    opened.answers["ping"] = count
    opened.run("%snapshot before;")
    opened.run("%%host\nping")
    assert "MASQUERADE" in opened.run("%counters").plain
    assert "MASQUERADE" in opened.run("%counters before").plain


def test_a_diagram_marks_what_the_last_cell_changed(opened):
    assert "<svg" in opened.run("%diagram").html
    untouched = opened.run("%diagram").html
    opened.answers["down"] = take_down
    opened.run("%%host\ndown")
    assert opened.run("%diagram").html != untouched


def test_a_diagram_takes_options_and_explains_a_wrong_one(opened):
    assert opened.run("%diagram --direction LR --focus web").error is None
    assert "There are: auto, TB, LR" in opened.run("%diagram --direction up").trace


# Checks


def test_a_check_that_holds_says_what_was_seen(opened):
    shown = opened.run("%check container_running('web')")
    assert shown.error is None
    assert "passed" in shown.plain
    assert 'class="dnetkit-check"' in shown.html


def test_a_check_that_does_not_hold_stops_here_with_the_reason(opened):
    shown = opened.run("%check --within 0.01 container_running('old')\nafter = 1")
    assert type(shown.error) is errors.CheckFailed
    assert "FAILED" in shown.outputs[0]["data"]["text/plain"]
    assert "exited" in shown.trace
    assert "after" not in opened.shell.user_ns


def test_a_check_may_take_a_moment_to_come_true(opened):
    looks = iter([False, False])
    whole = opened.lab.state

    def snapshot():
        return dataclasses.replace(whole, containers=()) if next(looks, True) is False else whole

    opened.lab.snapshot = snapshot
    assert opened.run("%check --within 5 container_running('web')").error is None


def test_a_check_knows_the_variables_of_the_notebook(opened):
    opened.run("name = 'web'")
    assert opened.run("%check container_running(name)").error is None
    assert (
        opened.run("%check container_running('{name}')".replace("'", '"').replace('"{name}"', "f'{name}'")).error
        is None
    )


def test_a_check_that_does_not_apply_is_neither_passed_nor_failed(opened):
    opened.lab.sandbox = "rootless"
    shown = opened.run("%check --within 5 --needs root container_running('old')\nafter = 1")
    assert shown.error is None
    assert shown.plain.startswith("not applicable here: container_running('old')")
    assert "passed" not in shown.plain
    assert shown.outputs[0]["metadata"]["dnetkit"]["not_applicable"] == "check"
    assert opened.shell.user_ns["after"] == 1


def test_commands_that_do_not_apply_are_not_run(opened):
    opened.lab.sandbox = "rootless"
    for magic in ("%%host", "%%client", "%%container web"):
        shown = opened.run(f"{magic} --needs root\nip link\nip route")
        assert shown.error is None
        assert shown.plain.startswith("not applicable here: ip link ...")
    assert not opened.lab.ran


def test_a_picture_that_does_not_apply_is_not_drawn(opened):
    opened.lab.sandbox = "rootless"
    shown = opened.run("%diagram --needs root")
    assert shown.plain.startswith("not applicable here: %diagram")
    assert "<svg" not in shown.html
    assert shown.outputs[0]["metadata"]["dnetkit"]["not_applicable"] == "picture"


def test_what_is_needed_and_there_changes_nothing(opened):
    opened.lab.sandbox = "root"
    assert "<svg" in opened.run("%diagram --needs root").html
    assert "passed" in opened.run("%check --needs root container_running('web')").plain


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%check", "%check needs a claim."),
        ("%check --within soon container_running('web')", "--within takes a number of seconds."),
        ("%check --wihin 5 container_running('web')", "%check has no option --wihin."),
        ("%check --needs rot container_running('web')", "--needs knows no 'rot'. Did you mean root?"),
        ("%check --needs root", "%check needs a claim."),
        ("%check container_runing('web')", "There is no check container_runing. Did you mean container_running?"),
        ("%check 1 == 1", "which is not a check"),
        ("%check container_running(", "This is not one Python expression"),
    ],
)
def test_what_is_no_check_is_explained(opened, line, message):
    shown = opened.run(line)
    assert isinstance(shown.error, errors.UsageError)
    assert message in shown.trace
