"""Exercise cards with buttons; the only module that imports ipywidgets."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets  # type: ignore[import-untyped]  # it has no types

from dnetkit import views
from dnetkit.errors import DnetkitError
from dnetkit.exercises import Exercise
from dnetkit.stage import show

__all__ = ["exercise_card"]


def exercise_card(
    exercise: Exercise, hint: Callable[[], object], check: Callable[[], object], solution: Callable[[], object]
) -> ipywidgets.VBox:
    """The task with the buttons Hint, Check and Show solution; what they give is shown below them.

    The solution is shown on the second press: the first one asks.
    """
    below = ipywidgets.Output()
    asked = False

    def put(make: Callable[[], object]) -> None:
        below.clear_output()
        with below:
            try:
                show(make())
            except DnetkitError as error:
                show(views.message(str(error)))

    def reveal(button: ipywidgets.Button) -> None:
        nonlocal asked
        if asked:
            put(solution)
            return
        asked = True
        button.description = "Really show it"
        put(lambda: views.message("Have you asked for every hint? Press again to see a solution."))

    buttons = [
        _button("Hint", "What to try next, from what the lab looks like now", lambda _: put(hint)),
        _button("Check", "Is the task done?", lambda _: put(check)),
        _button("Show solution", "One way to do it", reveal),
    ]
    task = ipywidgets.HTML(str(views.task(exercise).html))
    return ipywidgets.VBox([task, ipywidgets.HBox(buttons), below])


def _button(label: str, tooltip: str, pressed: Callable[[ipywidgets.Button], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(description=label, tooltip=tooltip)
    button.on_click(pressed)
    return button
