"""What became of a poll: from what is known when it ends to its sample. Pure."""

from harness.load import answers
from harness.load.engine_wire import Poll
from harness.model import PENDING_ROUTE, Sample


def sample_of(poll: Poll, agent_id: str) -> tuple[Sample, bytes]:
    """
    Make the sample of a poll that has ended.

    Args:
        poll: with its end, and the kind of error of its way there and back.
        agent_id: of the agent that sent it.

    Returns:
        The sample, whose error says what is wrong with the answer itself, too; and the answer's body.
    """
    reader, error = poll.reader, poll.error
    status, server, body = None, None, b""
    if reader is not None:
        status, server, body = reader.status, reader.server, reader.body
    if error is None and status is not None:
        error = answers.judge_answer(status, body)
    sample = Sample(
        agent=agent_id,
        name=PENDING_ROUTE,
        method="GET",
        intended_start_s=poll.intended_s,
        start_s=round(poll.start_s, 6),
        end_s=round(poll.end_s, 6),
        status=status,
        error=error,
        bytes_in=len(body),
        new_connection=None if error == answers.INTERRUPTED else poll.new_connection,
        request_id=poll.request_id,
        server=server,
        extra=poll.extra,
        connect_s=None if poll.connect_s is None else round(poll.connect_s, 6),
        missed_s=poll.missed_s,
    )
    return sample, body
