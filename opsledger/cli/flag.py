"""The shape of a switch on the command line: off unless it is given, without a --no- form. Knows no command."""

from typing import Annotated

from cyclopts import Parameter

Flag = Annotated[bool, Parameter(negative="", show_default=False)]
