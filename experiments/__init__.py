"""The project's commands."""

import signal
import sys

# Until a command watches for signals, Ctrl-C ends it, and without a traceback out of the imports.
if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
