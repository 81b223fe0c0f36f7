"""The command line ``wardmark``.

Exit codes: 0 done; 1 the answer is no; 2 wrong use; 3 refused by policy; 4 a guard, signer or
ledger is unavailable, or a file cannot be read; 130 stopped by the person.
``--json`` prints one document on stdout; everything else goes to stderr.
"""

import sys
from typing import Any

import typer

from guard.cli.app import app
from guard.cli.output import print_error, print_json
from guard.errors import DecisionRefused
from policies.errors import WardmarkError

STOPPED = 130  # the shell's code for a program ended by Ctrl-C


def main() -> None:
    """Run the command line and exit with the code of its kind."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command; returns its exit code."""
    as_json = "--json" in arguments
    try:
        result = app(arguments, prog_name="wardmark", standalone_mode=False)
    except WardmarkError as error:
        print_error(str(error))
        if as_json:
            print_json(error_document(error))
        return error.exit_code
    except typer.TyperException as error:
        print_error(f"{error.format_message()} The commands and their options: wardmark --help")
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print_error("stopped; nothing was delivered")
        return STOPPED
    except BrokenPipeError:
        return 0  # the reader of our output has seen enough
    return result if isinstance(result, int) else 0


def error_document(error: WardmarkError) -> dict[str, Any]:
    """The JSON of a failure; a refusal carries its reasons."""
    document: dict[str, Any] = {"code": error.code, "message": str(error)}
    if isinstance(error, DecisionRefused):
        document["decision_id"] = error.decision_id
        document["decision"] = error.decision.action.value
        document["policy"] = error.decision.policy.model_dump()
        document["reasons"] = [r.model_dump(mode="json") for r in error.decision.reasons]
    return {"error": document}
