"""The steps of one picture's way, and the receipts that show which of them ran. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from guard.errors import ObligationUnmet
from policies.decision import Obligation, Scalar
from provenance.receipt import Receipt

REQUIRED_STEPS = (
    "admit",
    "assess_prompt",
    "decide_prompt",
    "generate",
    "assess_image",
    "decide_image",
    "fingerprint",
    "encode",
)
"""No picture leaves without a receipt of each, whatever the policy says."""

EDIT_STEPS = ("read_input", "assess_input", "decide_input")
"""An edit needs these too: what was sent in is looked at like what was drawn."""

OPTIONAL_STEPS = ("redact_input", "redact", "label", "watermark", "credential", "ledger")
"""These run where a decision or an obligation asks for them."""

DISCHARGES = {
    Obligation.VISIBLE_LABEL: "label",
    Obligation.WATERMARK: "watermark",
    Obligation.CREDENTIAL: "credential",
    Obligation.LEDGER: "ledger",
}
"""Which step discharges which obligation. Others cannot be met here and stop at the start."""


@dataclass(frozen=True)
class Trail:
    """The receipts so far, oldest first. ``required``: the steps that must have theirs."""

    receipts: tuple[Receipt, ...] = ()
    required: tuple[str, ...] = REQUIRED_STEPS

    def after(self, step: str, detail: Mapping[str, Scalar] | None = None) -> "Trail":
        """This trail with a receipt for ``step``, which has just run."""
        discharged = {name: obligation for obligation, name in DISCHARGES.items()}.get(step)
        receipt = Receipt(
            step=step,
            obligation=discharged,
            finished_at=datetime.now(UTC),
            detail=detail or {},
        )
        return replace(self, receipts=(*self.receipts, receipt))

    @property
    def ran(self) -> tuple[str, ...]:
        return tuple(receipt.step for receipt in self.receipts)

    @property
    def not_run(self) -> tuple[str, ...]:
        return tuple(step for step in (*self.required, *OPTIONAL_STEPS) if step not in self.ran)

    def require(self, obligations: Iterable[Obligation]) -> None:
        """Raise ObligationUnmet unless every required step and obligation has its receipt."""
        missing = [f"step {step}" for step in self.required if step not in self.ran]
        discharged = {receipt.obligation for receipt in self.receipts}
        missing += [f"obligation {due}" for due in sorted(obligations) if due not in discharged]
        if missing:
            raise ObligationUnmet(
                f"nothing is delivered: no receipt for {', '.join(missing)}. This is a fault of"
                " the deployment, not of the request; tell its operator"
            )
