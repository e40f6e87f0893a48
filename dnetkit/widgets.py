"""Exercise cards with buttons; the only module that imports ipywidgets."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets  # type: ignore[import-untyped]  # it has no types

from dnetkit import views
from dnetkit.display import View
from dnetkit.errors import DnetkitError
from dnetkit.exercises import Exercise

__all__ = ["exercise_card"]


def exercise_card(
    exercise: Exercise, hint: Callable[[], View], check: Callable[[], View], solution: Callable[[], View]
) -> ipywidgets.VBox:
    """The task with the buttons Hint, Check and Show solution; what they give is shown below them.

    The solution is shown on the second press: the first one asks. An error is shown there too; one that is not of ours
    is raised besides, so that the kernel's log has where it came from.
    """
    below = ipywidgets.HTML()
    asked = False

    def put(make: Callable[[], View]) -> None:
        for button in buttons:
            button.disabled = True
        try:
            view = make()
        except DnetkitError as error:
            view = views.problem(str(error))
        except BaseException as error:
            view = views.problem(f"{type(error).__name__}: {error}")
            raise
        finally:
            below.value = view.markup
            for button in buttons:
                button.disabled = False

    def reveal() -> None:
        nonlocal asked
        if asked:
            put(solution)
            reveals.description = "Show solution"
            return
        asked = True
        reveals.description = "Really show it"
        put(lambda: views.message("Have you asked for every hint? Press once more to see a solution."))

    reveals = _button("Show solution", "One way to do it", reveal)
    buttons = [
        _button("Hint", "What to try next, from what the lab looks like now", lambda: put(hint)),
        _button("Check", "Is the task done?", lambda: put(check)),
        reveals,
    ]
    task = ipywidgets.HTML(views.task(exercise).markup)
    frame = ipywidgets.Layout(border="1px solid var(--jp-border-color2)", padding="4px 12px 8px", margin="4px 0")
    card = ipywidgets.VBox([task, ipywidgets.HBox(buttons), below], layout=frame)
    card.add_class("dnetkit-card")
    return card


def _button(label: str, tooltip: str, pressed: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(description=label, tooltip=tooltip, layout=ipywidgets.Layout(width="auto"))
    button.on_click(lambda _: pressed())
    return button
