"""My jobs, and what this machine is doing."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from webapp import monitor
from webapp.models import Job, JobQuerySet, Status

PAGE_SIZE = 20
MAX_QUERY_CHARACTERS = 200
# What is searched of the first entities of a job; few have more.
SEARCHED_ENTITIES = 8
SEARCHED = (
    "protein__sequence",
    "rna__sequence",
    "dna__sequence",
    "ligand__smiles",
    "ligand__ccdCodes",
)


@require_safe
@login_required
def dashboard(request: HttpRequest) -> HttpResponse:
    """The jobs that match `?q=` and `?status=`, newest first; the list alone with `?part=list`."""
    mine = Job.objects.for_user(request.user)
    query, status = wanted(request.GET)
    context = {
        "page": page_of(matching(mine, query=query, status=status), request.GET.get("page", "1")),
        "query": query,
        "status": status,
        "statuses": Status.choices,
        "has_jobs": mine.exists(),
        "filter": filter_words(query=query, status=status),
    }
    if request.GET.get("part") == "list":
        return render(request, "jobs/list/list.html", context)
    return render(request, "jobs/dashboard.html", {**context, "machine": monitor.snapshot()})


def wanted(parameters: QueryDict) -> tuple[str, str]:
    """The search text and the status asked for; "" where there is none or no such status."""
    query = parameters.get("q", "").replace("\0", "").strip()[:MAX_QUERY_CHARACTERS]
    status = parameters.get("status", "")
    return query, status if status in Status.values else ""


def matching(jobs: JobQuerySet, *, query: str, status: str) -> JobQuerySet:
    """The jobs of this status whose name, id, sequences or ligands hold the text."""
    if status:
        jobs = jobs.filter(status=status)
    if query:
        places = Q(name__icontains=query) | Q(pk__startswith=query.lower())
        text = "".join(query.split())
        for index in range(SEARCHED_ENTITIES):
            for part in SEARCHED:
                places |= Q((f"fold_input__sequences__{index}__{part}__icontains", text))
        jobs = jobs.filter(places)
    return jobs


def page_of(jobs: JobQuerySet, number: str) -> Page[Job]:
    """The page of this number, or the nearest one that exists."""
    return Paginator(jobs, PAGE_SIZE).get_page(number)


def filter_words(*, query: str, status: str) -> str:
    """The filter as the query string of the links to other pages."""
    parameters = QueryDict(mutable=True)
    parameters.update({name: value for name, value in (("q", query), ("status", status)) if value})
    return parameters.urlencode()
