"""What the networks are worth: their model cards."""

import markdown
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from folding.weights import cards


@require_safe
def card(request: HttpRequest, name: str) -> HttpResponse:
    """The model card of the weights called `name`."""
    try:
        text = cards.read_card(name)
    except KeyError:
        raise Http404(f"There are no weights called {name}.") from None
    # The text is ours, part of the code: it is safe by origin.
    html = mark_safe(markdown.markdown(text, extensions=["tables"]))
    return render(request, "models/card.html", {"name": name, "card": html})
