"""`python -m hfattnlstm`: the `hfattnlstm` command, of a Python whose executables the shell does not find."""

from __future__ import annotations

import sys

from .commands.main import main


if __name__ == "__main__":
    sys.exit(main())
