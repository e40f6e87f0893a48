"""Exercises as data, and each of the workbook's in a real lab: untouched it fails, its solution passes, hints fit."""

from __future__ import annotations

import dataclasses

import pytest
from fake_lab import FakeLab
from sabotaged import SELDOM

from dnetkit import exercises, notebooks
from dnetkit.cells import as_python
from dnetkit.errors import CommandError, ExerciseError, UsageError
from dnetkit.exercises import Exercise, Hint
from dnetkit.lab import Lab
from dnetkit.model import CommandResult, Step

CATALOGUE = exercises.catalogue()

START = "docker start old"
EXERCISE = Exercise(
    name="wake",
    chapter="00-start",
    title="Wake it",
    task="Start the container `old`.",
    solution=START,
    checks=('container_running("old")',),
    hints=(
        Hint('container_exists("old")', ("There is no container `old`.",)),
        Hint('container_running("old")', ("It is asleep.", f"`{START}`")),
    ),
)


def started(lab: FakeLab) -> None:
    containers = tuple(dataclasses.replace(c, state="running") if c.name == "old" else c for c in lab.state.containers)
    lab.state = dataclasses.replace(lab.state, containers=containers)


def lab_where_it_can_be_started() -> FakeLab:
    lab = FakeLab()
    lab.answers[START] = started
    return lab


def perform_on(lab):
    def perform(work):
        result = None
        for machine, script in work:
            result = lab.machine(machine).run(script)
        return result

    return perform


# Grading


def test_what_is_missing_is_named_and_the_first_hint_that_fits_is_given():
    verdict = exercises.grade(EXERCISE, FakeLab(), patience=0)
    assert not verdict
    assert "old is running" in verdict.failed.claim
    assert verdict.hint is EXERCISE.hints[1]


def test_hints_get_plainer_and_stay_at_the_plainest():
    verdict = exercises.grade(EXERCISE, FakeLab(), patience=0)
    assert [verdict.advice(asked) for asked in range(4)] == ["It is asleep.", *[f"`{START}`"] * 3]


def test_without_a_hint_the_failed_check_speaks():
    bare = dataclasses.replace(EXERCISE, hints=())
    advice = exercises.grade(bare, FakeLab(), patience=0).advice()
    assert "the container old is running" in advice


def test_a_passed_exercise_has_no_hint():
    lab = FakeLab()
    started(lab)
    verdict = exercises.grade(EXERCISE, lab)
    assert verdict
    assert (verdict.hint, verdict.failed, verdict.advice()) == (None, None, "")


def test_a_check_that_makes_no_sense_is_an_error_not_a_failed_exercise():
    with pytest.raises(UsageError):
        exercises.grade(dataclasses.replace(EXERCISE, checks=("True",)), FakeLab(), patience=0)


# Proving


def test_a_stored_solution_that_passes_is_proved():
    lab = lab_where_it_can_be_started()
    assert exercises.prove(EXERCISE, lab, perform_on(lab))


def test_a_stored_solution_that_does_not_pass_is_an_error():
    lab = FakeLab()
    with pytest.raises(ExerciseError, match="does not pass"):
        exercises.prove(EXERCISE, lab, perform_on(lab))


def test_an_exercise_that_passes_untouched_is_an_error_and_nothing_is_run():
    lab = FakeLab()
    started(lab)
    with pytest.raises(ExerciseError, match="proves nothing"):
        exercises.prove(EXERCISE, lab, perform_on(lab))
    assert not lab.ran


def test_what_the_last_part_printed_is_the_answer():
    asked = dataclasses.replace(EXERCISE, checks=('answer("7")',), hints=(), solution="echo 6\n%%container web\necho 7")
    lab = FakeLab()
    lab.answers["echo 6"] = Step("", 0, "6\n")
    lab.answers["echo 7"] = Step("", 0, "7\n")
    assert exercises.prove(asked, lab, perform_on(lab))


# Scripts


@pytest.mark.parametrize("body", ["", "\n \n", "# your commands", "%%host\n# nothing", "%%container web\n"])
def test_a_cell_without_commands_is_untouched(body):
    assert exercises.is_untouched(body)
    assert exercises.parts(body, "host1") == []


@pytest.mark.parametrize("body", ["ip link", "# a\nip link # b", "%%client\nip link"])
def test_a_cell_with_a_command_is_not(body):
    assert not exercises.is_untouched(body)


def test_a_script_moves_from_machine_to_machine():
    script = "one\n%%host host2\ntwo\nthree\n%%client\nfour\n%%container web\nfive\n%%host\nsix"
    assert exercises.parts(script, "box") == [
        ("box", "one"),
        ("host2", "two\nthree"),
        ("client", "four"),
        ("web", "five"),
        ("host1", "six"),
    ]


def test_a_part_of_a_script_can_be_python():
    found = exercises.parts("%%client --python\nprint(1)\n%%host\nls\n%%host host2 --python\n# nothing", "host1")
    assert found == [("client", as_python("print(1)", "END")), ("host1", "ls")]
    assert exercises.is_untouched("%%client --python\n# your lines")
    assert not exercises.is_untouched("%%client --pyhton\n")


# Files


def write(folder, text):
    (folder / "07-x.toml").write_text(text, encoding="utf-8")
    return folder


ENTRY = """
[[exercise]]
name = "a"
title = "A"
task = "Do it."
checks = ['no_container("web")']
solution = "true"
"""


def test_a_file_is_read(tmp_path):
    more = '[[exercise.hint]]\nunless = "x"\nsay = "one"\n[[exercise.wrong]]\nscript = "s"\nhint = "one"\n'
    loaded = exercises.load(write(tmp_path, ENTRY + more))["a"]
    assert (loaded.chapter, loaded.machine, loaded.setup) == ("07-x", "host1", "")
    assert loaded.hints == (Hint("x", ("one",)),)
    assert [answer.hint for answer in loaded.wrong] == ["one"]


@pytest.mark.parametrize(
    "text",
    [
        "[[exercise]",
        ENTRY.replace('"Do it."', '""'),
        ENTRY.replace('name = "a"\n', ""),
        ENTRY.replace("checks", "cheks"),
        ENTRY + ENTRY,
        ENTRY + '[[exercise.hint]]\nunless = "x"\nsay = []\n',
        ENTRY + '[[exercise.hint]]\nsay = "x"\n',
        ENTRY + '[[exercise.wrong]]\nscript = "x"\n',
    ],
)
def test_a_file_that_is_wrong_is_an_error_that_names_it(tmp_path, text):
    with pytest.raises(ExerciseError, match=r"07-x\.toml"):
        exercises.load(write(tmp_path, text))


def test_a_folder_without_files_holds_no_exercises(tmp_path):
    assert exercises.load(tmp_path) == {}
    assert exercises.load(tmp_path / "none") == {}


def test_an_unknown_name_brings_the_nearest_and_the_list():
    with pytest.raises(ExerciseError) as caught:
        exercises.find("start-helo")
    assert "Did you mean start-hello?" in caught.value.message
    assert "veth-build" in caught.value.hint


# Those of the workbook

every_exercise = pytest.mark.parametrize("exercise", CATALOGUE.values(), ids=CATALOGUE.keys())


@every_exercise
def test_is_of_a_chapter_and_has_hints_and_wrong_answers(exercise):
    assert exercise.chapter in {chapter.name for chapter in notebooks.chapters()}
    assert len(exercise.hints) >= 2
    assert len(exercise.wrong) >= 2


@every_exercise
def test_every_hint_can_come(exercise):
    """A hint whose words no wrong answer leads to would be dead text."""
    led_to = {answer.hint for answer in exercise.wrong}
    for hint in exercise.hints:
        spoken = " ".join(hint.say)
        reachable = any(words in spoken for words in led_to)
        assert reachable or hint.unless in SELDOM.get(exercise.name, ()), hint.unless


@pytest.mark.live
@pytest.mark.sandbox("root")  # a run of the chapter proves the same in both sandboxes
@every_exercise
def test_untouched_it_fails_and_its_solution_passes_in_a_new_lab(exercise, fresh_lab):
    prepare(exercise, fresh_lab)
    assert exercises.prove(exercise, fresh_lab, perform_on(fresh_lab))


@pytest.mark.live
@pytest.mark.sandbox("root")  # which hint fits is a matter of the checks
@pytest.mark.parametrize(
    ("exercise", "answer"),
    [(exercise, answer) for exercise in CATALOGUE.values() for answer in exercise.wrong],
    ids=[f"{name}-{number}" for name, exercise in CATALOGUE.items() for number in range(1, len(exercise.wrong) + 1)],
)
def test_a_wrong_answer_does_not_pass_and_gets_the_hint_that_fits_it(exercise, answer, fresh_lab):
    prepare(exercise, fresh_lab)
    printed = attempt(exercise, answer.script, fresh_lab)
    verdict = exercises.grade(exercise, fresh_lab, printed, patience=0.3)  # it is not to pass, however long one waits
    assert not verdict
    assert verdict.hint is not None
    assert answer.hint in " ".join(verdict.hint.say)


def prepare(exercise: Exercise, lab: Lab) -> None:
    for machine, script in exercises.parts(exercise.setup, exercise.machine):
        lab.machine(machine).run(script)


def attempt(exercise: Exercise, script: str, lab: Lab) -> str:
    try:
        result = perform_on(lab)(exercises.parts(script, exercise.machine))
    except CommandError as error:
        result = error.result
    assert isinstance(result, CommandResult)
    return result.stdout
