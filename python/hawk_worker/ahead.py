"""What every task would load by itself, loaded once, before the processes of the tasks are forked: they have it without
the time it takes and share its memory."""

import contextlib
import importlib
from collections.abc import Callable

MODULES = """
    hawk_worker.ledger hawk_worker.live hawk_worker.repeats hawk_worker.slots hawk_worker.stop hawk_worker.verdict
    anyio._backends._asyncio acp acp.schema encodings.cp437 fastapi fsspec.implementations.chained inspect_ai._control.config_record
    inspect_ai._control.current_server inspect_ai._control.scoring inspect_ai.agent._acp.server inspect_ai.agent._acp.transport_live
    inspect_ai.agent._acp.transport_noop inspect_ai.model._providers.none inspect_ai.solver._transcript multiprocessing numpy
    opentelemetry.trace pydantic.v1 rich._emoji_codes rich.markdown uvicorn uvicorn.lifespan.on uvicorn.protocols.http.auto
    uvicorn.protocols.websockets.auto uvicorn.server
""".split()


def _models() -> None:
    """What Inspect knows of models, which it reads out of many files of YAML."""
    from inspect_ai.model import _model_info

    _model_info._get_lookup_index()


def _control_server() -> None:
    """The routes of Inspect's control channel, which it keeps for the next server of the process."""
    from inspect_ai._control import server

    server._app = server.ControlServer._create_app()


STEPS: list[Callable[[], None]] = [_models, _control_server]


def load() -> None:
    """Loads all of it. Versions differ: what a task needs and cannot load fails there."""
    for name in MODULES:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    for step in STEPS:
        with contextlib.suppress(Exception):
            step()
