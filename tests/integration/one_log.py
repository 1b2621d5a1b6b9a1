"""One small eval log, made in a moment by the real Inspect and its mock model."""

import pathlib

from inspect_ai import Task, eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import match


def make(folder: pathlib.Path, text: str, **metadata: str) -> bytes:
    """A log with one sample "s1", which has the text in its input, target, answer, metadata and score."""
    output = ModelOutput.from_content("mockllm/model", f"{text} answer")
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else a vocabulary is downloaded to count
    sample = Sample(id="s1", input=f"{text} input", target=f"{text} target", metadata={"note": text})
    task = Task(name=f"{text}-task", dataset=[sample], scorer=match())
    model = get_model("mockllm/model", custom_outputs=[output], memoize=False)
    (log,) = inspect_eval(task, model=model, log_dir=str(folder), metadata={"note": text, **metadata}, display="none")
    assert log.status == "success", log.error
    (path,) = folder.glob("*.eval")
    return path.read_bytes()
