"""What helps to write down a ligand: codes by name, and a drawing of it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET, require_POST

from folding.chemistry.catalog import COMMON_NAMES, codes_of, search
from folding.inputs import MAX_SEQUENCE_CHARACTERS, own_codes

N_SUGGESTIONS = 12
DRAWING_SECONDS = 10
KEEP_SECONDS = 3600


@require_GET
@login_required
def suggest(request: HttpRequest) -> JsonResponse:
    """Components of the dictionary whose code or name begins with or holds `?q=`."""
    text = request.GET.get("q", "").strip()[:60]
    found = search(text, limit=N_SUGGESTIONS) if text else ()
    named = [{"code": c.code, "name": COMMON_NAMES.get(c.code, c.name)} for c in found]
    return JsonResponse({"found": named})


@require_POST
@login_required
def drawing(request: HttpRequest) -> HttpResponse:
    """The ligand of `as` (code, SMILES or file) and `ligand` as SVG; 422 and a sentence if none.

    `user_ccd` may hold components of the user's own.
    """
    text, given = request.POST.get("ligand", "").strip(), request.POST.get("as", "ccd")
    if not text or len(text) > MAX_SEQUENCE_CHARACTERS:
        return HttpResponse("There is nothing to draw.", status=422, content_type="text/plain")
    own, user_ccd = own_codes(request.POST.get("user_ccd", "")), None
    codes = codes_of(text, own=own) if given == "ccd" else ()
    if any(code.upper() in own for code in codes):
        user_ccd = request.POST["user_ccd"]
    ligand = {
        "ccd": codes,
        "user_ccd": user_ccd,
        "smiles": text if given == "smiles" else None,
        "file": text if given == "file" else None,
    }
    message = json.dumps(ligand)
    key = f"drawing-{hashlib.sha256(message.encode()).hexdigest()}"
    drawn: tuple[bool, str] = cache.get(key) or _draw(message)
    cache.set(key, drawn, KEEP_SECONDS)
    ok, body = drawn
    kind = "image/svg+xml" if ok else "text/plain; charset=utf-8"
    return HttpResponse(body, status=200 if ok else 422, content_type=kind)


def _draw(message: str) -> tuple[bool, str]:
    """The picture, or what speaks against one, from a process that may take ten seconds."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "folding.chemistry.drawing"],
            input=message,
            capture_output=True,
            text=True,
            timeout=DRAWING_SECONDS,
            cwd=settings.BASE_DIR,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, "This molecule takes too long to draw."
    if done.returncode not in (0, 1):
        return False, "This molecule cannot be drawn."
    return done.returncode == 0, done.stdout
