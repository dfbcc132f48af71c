"""What commercial verifiers say of finished files: how sure they are of the target, and how sure of the owner.

One comparison is one request to somebody else's machine, so nothing is asked twice: photos that a method makes for
several tasks are shown once. What was heard is kept when a verifier fails for good.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from diffam_core.images import encode_photo, to_pixels
from evaluation.commercial.errors import VerifierError, VerifierNoFace, VerifierUnauthorised
from evaluation.commercial.verifier import Confidence, Verifier
from evaluation.evaluate import Evaluation
from evaluation.method import Method
from evaluation.running.outcomes import outcome_key
from model_store.bundle import Bundle
from model_store.catalog import StyleCard

GIVE_UP_AFTER = 3
"""Failed comparisons in a row that end the questions to a verifier; a wrong key does at once."""


@dataclass(frozen=True)
class Question:
    """Whether a method's photos show `target`; None asks for their owners. `variant`: which of its outcomes."""

    method: str
    variant: str
    target: str | None


@dataclass(frozen=True)
class Answer:
    """One comparison: a confidence, or the `code` of why there is none."""

    verifier: str
    question: Question
    photo: int
    confidence: Confidence | None = None
    code: str | None = None


@dataclass(frozen=True)
class Verification:
    """All answers, and the errors that ended the questions to a verifier early."""

    answers: list[Answer]
    stopped: dict[str, VerifierError]


def questions_of(methods: dict[str, Method], tasks: Sequence[StyleCard]) -> list[Question]:
    """What to ask of each photo: every target that it was made for, and its owner."""
    asked = (
        Question(name, outcome_key(method, task), target)
        for name, method in methods.items()
        for task in tasks
        for target in (task.target, None)
    )
    return list(dict.fromkeys(asked))


def verify(
    bundle: Bundle,
    evaluation: Evaluation,
    questions: Sequence[Question],
    verifiers: dict[str, Verifier],
    on_answer: Callable[[str], None],
) -> Verification:
    """Ask every verifier about the finished files that the evaluation kept."""
    pictures = {name: encode_photo(to_pixels(target.test[0]), "png") for name, target in bundle.targets.items()}
    answers, stopped = list[Answer](), dict[str, VerifierError]()
    for name, verifier in verifiers.items():
        try:
            for answer in _ask(name, verifier, evaluation, questions, pictures):
                answers.append(answer)
                on_answer(name)
        except VerifierError as error:
            stopped[name] = error
    return Verification(answers, stopped)


def _ask(
    name: str, verifier: Verifier, evaluation: Evaluation, questions: Sequence[Question], pictures: dict[str, bytes]
) -> Iterator[Answer]:
    failed = 0
    for question in questions:
        for photo, file in enumerate(evaluation.outcomes[question.method, question.variant].files):
            owner = evaluation.subjects.other_files[photo]
            known = owner if question.target is None else pictures[question.target]
            try:
                yield Answer(name, question, photo, verifier.compare(file, known))
                failed = 0
            except VerifierNoFace as error:
                yield Answer(name, question, photo, code=error.code)
                failed = 0
            except VerifierUnauthorised:
                raise
            except VerifierError as error:
                yield Answer(name, question, photo, code=error.code)
                failed += 1
                if failed == GIVE_UP_AFTER:
                    raise
