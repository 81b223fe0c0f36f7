"""The commands of ``wardmark`` in one place. Each loads what it needs when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from guard.cli import (
    api_keys,
    appeals,
    audit,
    audit_diff,
    audit_verify,
    check,
    checklist,
    doctor,
    edit,
    evaluate,
    generate,
    impact,
    init,
    keys,
    known_content,
    ledger,
    mark,
    mark_keys,
    policy,
    retention,
    review,
    sequence,
    serve,
    sign,
    subject_keys,
    verify,
    withdraw,
    witness,
)

app = typer.Typer(
    help="Stands between people and an image generator.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def common(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option("--home", help="Where state lives (else $WARDMARK_HOME).")
    ] = None,
) -> None:
    """Stands between people and an image generator."""
    context.obj = home


app.command("init")(init.init)
app.command("generate")(generate.generate)
app.command("edit")(edit.edit)
app.command("check")(check.check)
app.command("verify")(verify.verify_files)
app.command("mark")(mark.mark)
app.command("detect")(mark.detect)
app.command("sign")(sign.sign)
app.command("audit")(audit.audit_data_set)
app.command("audit-diff")(audit_diff.audit_diff)
app.command("audit-verify")(audit_verify.audit_verify)
app.add_typer(checklist.app, name="checklist")
app.command("impact")(impact.show_impact)
app.command("withdraw")(withdraw.withdraw)
app.command("retention")(retention.retention)
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
ledger.app.command("cosign")(witness.cosign)
ledger.app.command("rotate-key")(witness.rotate_key)
ledger.app.command("witness")(witness.witness)
ledger.app.command("sequence")(sequence.sequence)
app.add_typer(api_keys.app, name="api-keys")
app.add_typer(appeals.app, name="appeals")
app.add_typer(keys.app, name="keys")
app.add_typer(known_content.app, name="known-content")
app.add_typer(ledger.app, name="ledger")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(mark_keys.app, name="mark-keys")
app.add_typer(subject_keys.app, name="subject-keys")
app.add_typer(policy.app, name="policy")
app.add_typer(review.app, name="review")
