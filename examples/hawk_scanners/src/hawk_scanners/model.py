"""A model that judges without a network: `yes` when the transcript says thank you or hello, else `no`."""

import pathlib
import re

import anyio
from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, ModelUsage, modelapi
from inspect_ai.tool import ToolChoice, ToolInfo


class HawkScannersModel(ModelAPI):
    """Answers from the words of the prompt.

    Args:
        model_name: Any name.
        base_url: Not used.
        api_key: Not used.
        config: Not used, but for what Inspect does with it.
        gate: A folder. Each call takes a file out of it, and waits until there is one. None: no call waits.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),
        gate: str | None = None,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self.gate = pathlib.Path(gate) if gate else None

    def _let_in(self) -> bool:
        try:
            if self.gate:
                next(self.gate.iterdir()).unlink()
        except (StopIteration, FileNotFoundError):
            return False
        return True

    async def count_text_tokens(self, text: str) -> int:
        """Words, for what Inspect counts with has to be downloaded."""
        return len(text.split())

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Answer in the form that Scout asks for."""
        while not self._let_in():
            await anyio.sleep(0.1)
        prompt = "\n".join(message.text for message in input)
        answer = "yes" if re.search(r"thank you|hello", prompt, re.IGNORECASE) else "no"
        output = ModelOutput.from_content(self.model_name, f"The words decide.\n\nANSWER: {answer}")
        output.usage = ModelUsage(input_tokens=len(prompt.split()), output_tokens=4, total_tokens=len(prompt.split()) + 4)
        return output


@modelapi(name="hawk_scanners")
def hawk_scanners() -> type[ModelAPI]:
    """The provider of `hawk_scanners/<any name>`."""
    return HawkScannersModel
