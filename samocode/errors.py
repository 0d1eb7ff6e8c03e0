"""The one exception that is not a bug: something the user can put right."""


class UserError(Exception):
    """Known trouble, told in sentences that each name the remedy.

    main.py prints every problem on stderr, without a traceback, and exits with `exit_code` (2:
    usage or configuration, unless said otherwise). Any other exception is a bug and shows its
    traceback.
    """

    def __init__(self, *problems: str, exit_code: int = 2) -> None:
        super().__init__("\n".join(problems))
        self.problems: tuple[str, ...] = problems
        self.exit_code: int = exit_code
