"""`docs/ocp.md` says what clients of other systems get: statuses, labels and error codes."""

from services.api.rest.v1.codes import CODES
from services.api.rest.words import ODC, OMS, STATUS
from shared.task.refusals import Refusal
from shared.task.state import TaskState
from tests.house.tables import table

DOCUMENT = "ocp.md"


def test_every_state_has_its_words() -> None:
    """OCP's, OMS's and ODC's, each once."""
    program = [(state.value, STATUS[state], OMS[state], ODC[state]) for state in TaskState]
    assert table(DOCUMENT, "state", "ocp", "oms", "odc") == program


def test_every_code_is_the_one_that_is_sent() -> None:
    """The table's numbers are the program's, and no refusal of the core is missing."""
    documented = {int(row[0]): int(row[1]) for row in table(DOCUMENT, "v2", "v1", "what")}
    assert documented.items() <= CODES.items()
    kinds = [Refusal]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {kind.code for kind in kinds} <= documented.keys()
