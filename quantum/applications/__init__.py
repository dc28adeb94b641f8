"""Worked examples outside proteins, each beside its classical control, and honest about it."""

from quantum.applications.base import Application
from quantum.errors import NotFound


def applications() -> tuple[Application, ...]:
    """All of them, in the order in which to show them."""
    from quantum.applications import classifier, molecules, portfolio, recommender

    return (
        molecules.APPLICATION,
        portfolio.APPLICATION,
        recommender.APPLICATION,
        classifier.APPLICATION,
    )


def find_application(name: str) -> Application:
    """The application of that name; raises `NotFound`."""
    for application in applications():
        if application.name == name:
            return application
    known = ", ".join(application.name for application in applications())
    raise NotFound(f"there is no application {name!r}; there are {known}")
