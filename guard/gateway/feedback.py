"""What people say of an answer of the verification page. No name, no address, no picture."""

from collections.abc import Mapping
from typing import Literal, get_args

from guard.errors import InvalidRequest
from policies.decision import Frozen
from provenance.errors import EventInvalid
from provenance.home import Home
from provenance.ledger import Event
from provenance.ledger.event import new_id
from provenance.verify import Verdict

KIND = "feedback.verification"
MAX_WORDS = 1000  # characters

Opinion = Literal["right", "wrong", "unsure"]


class Feedback(Frozen):
    """``opinion``: of ``verdict``; ``words``: what the person wrote, or nothing."""

    verdict: Verdict
    opinion: Opinion
    words: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "Feedback":
        """Feedback out of the fields of a form. Raises InvalidRequest."""
        verdict, opinion = fields.get("verdict"), fields.get("opinion")
        words = fields.get("words", "").strip()
        if opinion not in get_args(Opinion):
            raise InvalidRequest("choose what you think of the answer: right, wrong or unsure")
        if verdict not in set(Verdict):
            raise InvalidRequest("this form has lost the answer that it was about; verify again")
        if len(words) > MAX_WORDS:
            raise InvalidRequest(f"write at most {MAX_WORDS} characters")
        return cls.model_validate({"verdict": verdict, "opinion": opinion, "words": words})


def keep(feedback: Feedback, home: Home) -> None:
    """Record it: the opinion in clear, the words sealed.

    The words of each are sealed under a key of their own, which is destroyed when their time is
    over (docs/forgetting.md): whatever somebody wrote of a person does not stand there for ever.
    Raises LedgerUnavailable.
    """
    opinion = {"verdict": feedback.verdict.value, "opinion": feedback.opinion}
    event = Event(KIND, opinion)
    if feedback.words:
        sealed = {"words": feedback.words}
        event = home.subjects.event(KIND, f"feedback-{new_id()}", sealed, opinion)
    try:
        home.ledger.append([event])
    except EventInvalid as error:
        raise InvalidRequest(f"this cannot be kept: {error}") from error
