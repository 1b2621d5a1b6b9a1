"""From the two documents of a job to the keyword arguments of inspect_ai.eval_set."""

import inspect
import json
import tempfile
from datetime import timedelta
from typing import Any

import inspect_ai
from inspect_ai import Epochs
from inspect_ai.model import GenerateConfig, Model

from hawk_worker.report import logger

Json = dict[str, Any]

FROM_USER = """
    score limit sample_shuffle message_limit token_limit time_limit working_limit cost_limit max_retries log_realtime
    log_model_api log_images acp_server
""".split()
"""Settings of the config that eval_set takes under the same name and with the same meaning."""

FROM_INFRA = """
    log_dir retry_attempts retry_wait retry_connections retry_cleanup retry_on_error trace display log_level_transcript
    log_format fail_on_error continue_on_fail debug_errors max_samples max_tasks max_subprocesses max_sandboxes
    log_samples log_buffer log_shared bundle_dir bundle_overwrite log_dir_allow_dirty acp_server
""".split()
"""The same of the deployment's settings."""

NOT_EXTRA = """
    name eval_set_id packages tasks models model_cost_config model_roles solvers agents approval acp_server
    approval_timeout_minutes epochs retry_attempts adaptive_connections monitor isolation checkpoint human_eval scan
    secrets tags metadata runner model model_args model_base_url sandbox log_dir log_format log_level sandbox_cleanup
    scanner scans
""".split()
"""Top-level keys of the config that are not handed to eval_set as they stand; where logs go is no choice of the user."""


def _approval(value: str | Json | None) -> str | None:
    """A name or file as given; a policy as the path of a file, which every version of Inspect reads."""
    if value is None or isinstance(value, str):
        return value
    approvers = [
        {"name": approver["name"], "tools": approver["tools"], **(approver.get("args") or {})}
        for approver in value["approvers"]
    ]
    with tempfile.NamedTemporaryFile("w", prefix="hawk-approval-", suffix=".json", delete=False) as file:
        json.dump({"approvers": approvers}, file)
    return file.name


def _epochs(value: int | Json | None) -> int | Epochs | None:
    if value is None or isinstance(value, int):
        return value
    return Epochs(value["epochs"], value.get("reducer"))


def _adaptive(value: Any) -> Any:
    if not isinstance(value, (str, dict)):
        return value
    from inspect_ai.util._concurrency import AdaptiveConcurrency

    return AdaptiveConcurrency.model_validate(value)


def _checkpoint(value: Json | None) -> Any:
    if not value or not value.get("enabled"):
        return None
    from inspect_ai import util

    trigger = value.get("trigger") or {}
    every = trigger.get("every")
    kinds = {
        "time": lambda: util.TimeInterval(every=timedelta(seconds=every or 600)),
        "turn": lambda: util.TurnInterval(every=every),
        "token": lambda: util.TokenInterval(every=every),
        "manual": lambda: "manual",
    }
    return util.CheckpointConfig(
        trigger=kinds[trigger.get("type") or "time"](),
        sandbox_paths=value.get("sandbox_paths"),
        max_consecutive_failures=value.get("max_consecutive_failures"),
        checkpoints_location=value.get("checkpoints_location"),
    )


def _costs(value: Json | None) -> Any:
    if not value:
        return None
    from inspect_ai.model import ModelCost

    return {model: ModelCost(**cost) for model, cost in value.items()}


def _max_sandboxes(models: list[Model]) -> int:
    """Twice the connections all models may have together, but not over 500."""
    per_key = {}
    for model in models:
        adaptive = getattr(model.config, "adaptive_connections", None)
        ceiling = getattr(adaptive, "max", None) or model.config.max_connections or model.api.max_connections()
        per_key[model.api.connection_key()] = ceiling
    return min(2 * (sum(per_key.values()) or 10), 500)


def generate_config(user: Json) -> GenerateConfig:
    """What the config's top level says about generating: `temperature`, `max_retries` and so on."""
    given = {key: value for key, value in user.items() if key in GenerateConfig.model_fields and value is not None}
    if "adaptive_connections" in given:
        given["adaptive_connections"] = _adaptive(given["adaptive_connections"])
    return GenerateConfig(**given)


def eval_set_arguments(user: Json, infra: Json, models: list[Model]) -> Json:
    """Keyword arguments for eval_set, without tasks and model roles. Settings that are not given are left out, so that
    Inspect's defaults hold; what the installed version does not know is dropped with a warning.

    Args:
        user: The job's config.
        infra: What the deployment adds.
        models: The job's models, roles included.
    """
    arguments: Json = {key: infra.get(key) for key in FROM_INFRA}
    arguments.update({key: user[key] for key in FROM_USER if user.get(key) is not None})
    arguments.update({key: value for key, value in user.items() if key not in (*NOT_EXTRA, *FROM_USER)})
    arguments |= {
        "eval_set_id": infra.get("job_id"),
        "tags": [*(user.get("tags") or []), *(infra.get("tags") or [])],
        "metadata": (user.get("metadata") or {})
        | ({"name": user["name"]} if user.get("name") else {})
        | (infra.get("metadata") or {}),
        "approval": _approval(user.get("approval")),
        "epochs": _epochs(user.get("epochs")),
        "checkpoint": _checkpoint(user.get("checkpoint")),
        "model_cost_config": _costs(user.get("model_cost_config")),
        "adaptive_connections": _adaptive(user.get("adaptive_connections")),
        "sandbox_cleanup": infra.get("cleanup"),
        "log_level": "notset",
    }
    if user.get("retry_attempts") is not None:
        arguments["retry_attempts"] = user["retry_attempts"]
    if isinstance(arguments.get("limit"), list):
        arguments["limit"] = tuple(arguments["limit"])
    if arguments["max_sandboxes"] is None:
        arguments["max_sandboxes"] = _max_sandboxes(models)
    return _known({key: value for key, value in arguments.items() if value is not None and value != []})


def _known(arguments: Json) -> Json:
    """The arguments that eval_set of the installed Inspect has."""
    known = set(inspect.signature(inspect_ai.eval_set).parameters) | set(GenerateConfig.model_fields)
    for key in sorted(set(arguments) - known):
        # `false` asks for nothing, so nothing is lost.
        if arguments[key] is not False:
            logger.warning(f"Inspect {inspect_ai.__version__} does not know the setting {key}; it has no effect")
    return {key: value for key, value in arguments.items() if key in known}
