"""What the codes mean: the address that a problem document's `type` names."""

from html import escape
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel

from app.codes import FACTS, address_of, title_of
from app.openapi.examples import shown
from app.openapi.problems import problems
from app.problem import Problem

router = APIRouter(prefix="/problems", tags=["problems"])

Accept = Annotated[str, Header(description="`text/html` for a page")]
VARY = {"Vary": "Accept"}
PAGES = {"text/html": {"schema": {"type": "string"}}}
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<body style="font: 1rem/1.5 sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem">
<h1>{title}</h1>
{body}
</body></html>
"""


class Explanation(BaseModel):
    """A code. `status`: of the answer that carries it; 200 if it stands in a job. `param`: the field at fault."""

    code: str
    type: str
    title: str
    explanation: str
    status: int
    retryable: bool
    param: str | None


class Explanations(BaseModel):
    """All codes."""

    problems: list[Explanation]


@router.get("", response_model=Explanations, responses=shown(200, "problems", others=PAGES) | problems())
async def list_problems(accept: Accept = "") -> Response:
    """Every code that this service answers with."""
    all_of_them = [_explanation(code) for code in FACTS]
    if not _wants_page(accept):
        return _json(Explanations(problems=all_of_them))
    rows = [f'<dt><a href="{each.type}">{each.code}</a><dd>{escape(each.explanation)}' for each in all_of_them]
    return _page("Problems", "<dl>\n" + "\n".join(rows) + "\n</dl>")


@router.get(
    "/{code}", response_model=Explanation, responses=shown(200, "problem", others=PAGES) | problems("not_found")
)
async def explain_problem(code: str, accept: Accept = "") -> Response:
    """What a code means, and whether the same request may succeed later."""
    if code not in FACTS:
        raise Problem("not_found", "no problem has this code")
    told = _explanation(code)
    if not _wants_page(accept):
        return _json(told)
    again = "The same request may succeed later." if told.retryable else "The same request would fail again."
    facts = f"<p>{escape(told.explanation)}</p>\n<p>{again}</p>\n"
    code_and_status = f'<p>Code <code>{code}</code>, HTTP status {told.status}. <a href="/problems">All codes</a></p>'
    return _page(told.title, facts + code_and_status)


def _explanation(code: str) -> Explanation:
    fact = FACTS[code]
    return Explanation(
        code=code,
        type=address_of(code),
        title=title_of(code),
        explanation=fact.explanation,
        status=fact.status,
        retryable=fact.is_retryable,
        param=fact.param,
    )


def _wants_page(accept: str) -> bool:
    """Browsers ask for HTML by name; programs ask for JSON, or for anything."""
    return "text/html" in accept.lower()


def _json(told: BaseModel) -> Response:
    return JSONResponse(told.model_dump(), headers=VARY)


def _page(title: str, body: str) -> Response:
    return HTMLResponse(PAGE.format(title=escape(title), body=body), headers=VARY)
