"""A model that needs no network: what it answers follows from the messages and its name alone.

`hawk_examples/steady` does what the example tasks ask. Any other name does so for about two inputs in three and gives a
wrong answer for the rest; which ones depends on the name, so that two names score differently.
"""

import hashlib
import re

import anyio
from inspect_ai.model import (
    ChatMessage,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

WRONG = "I do not know."


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _words(text: str) -> int:
    return len(text.split())


def _sum_choice(prompt: str, right: bool) -> str | None:
    """The answer to "What is A + B?" with choices "A) 12": the letter of the right one, or of another."""
    question = re.search(r"What is (\d+) \+ (\d+)\?", prompt)
    choices = re.findall(r"^([A-Z])\) (\d+)$", prompt, re.MULTILINE)
    if not question or not choices:
        return None
    total = str(int(question[1]) + int(question[2]))
    letters = [letter for letter, value in choices if (value == total) == right]
    return f"ANSWER: {letters[0]}" if letters else None


def _verdict(prompt: str) -> str | None:
    """The answer to 'Is "x" the same as "y"?'."""
    pair = re.search(r'Is "([^"]*)" the same as "([^"]*)"\?', prompt)
    if not pair:
        return None
    return "yes" if pair[1].strip() == pair[2].strip() else "no"


def _echo(prompt: str) -> str | None:
    said = re.search(r"Say exactly: (.+)", prompt)
    return said[1].strip() if said else None


class HawkExamplesModel(ModelAPI):
    """Answers from a hash of the input.

    Args:
        model_name: `steady`, or any other name for a model that errs.
        base_url: Not used.
        api_key: Not used.
        config: Not used, but for what Inspect does with it.
        sleep: Seconds each call takes.
        fail: Raise on every call, as a provider that is down.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),
        sleep: float = 0.0,
        fail: bool = False,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config)
        self.sleep = sleep
        self.fail = fail

    def _is_right(self, prompt: str) -> bool:
        return self.model_name == "steady" or int(_digest(self.model_name, prompt)[:8], 16) % 3 != 0

    def _answer(self, prompt: str) -> str:
        right = self._is_right(prompt)
        for answer in (_sum_choice(prompt, right), _verdict(prompt), _echo(prompt) if right else None):
            if answer is not None:
                return answer
        return f"I heard {_words(prompt)} words." if right else WRONG

    def _tool_output(self, input: list[ChatMessage], tools: list[ToolInfo]) -> ModelOutput | None:
        """Runs the command the prompt names in backticks, then submits what it printed."""
        names = [tool.name for tool in tools]
        prompt = next((m.text for m in input if isinstance(m, ChatMessageUser)), "")
        command = re.search(r"`([^`]+)`", prompt)
        last = input[-1]
        if isinstance(last, ChatMessageTool) and last.function == "bash" and "submit" in names:
            answer = last.text.strip() if self._is_right(prompt) else WRONG
            name, arguments = "submit", {"answer": answer}
        elif "bash" in names and command and not any(isinstance(m, ChatMessageTool) for m in input):
            name, arguments = "bash", {"command" if self._takes_command(tools) else "cmd": command[1]}
        else:
            return None
        output = ModelOutput.for_tool_call(self.model_name, name, arguments)
        calls = output.choices[0].message.tool_calls or []
        calls[0].id = "call_" + _digest(self.model_name, str(len(input)), prompt)[:16]
        return output

    @staticmethod
    def _takes_command(tools: list[ToolInfo]) -> bool:
        bash = next(tool for tool in tools if tool.name == "bash")
        return "command" in bash.parameters.properties

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """The output for these messages; equal messages give equal outputs.

        Raises:
            RuntimeError: when made with `fail`.
        """
        if self.sleep > 0:
            await anyio.sleep(self.sleep)
        if self.fail:
            raise RuntimeError("this model fails on purpose")
        output = self._tool_output(input, tools)
        if output is None:
            output = ModelOutput.from_content(self.model_name, self._answer(input[-1].text))
        asked = sum(_words(message.text) for message in input)
        said = _words(output.completion) + 8 * len(output.choices[0].message.tool_calls or [])
        output.usage = ModelUsage(input_tokens=asked, output_tokens=said, total_tokens=asked + said)
        return output


@modelapi(name="hawk_examples")
def hawk_examples() -> type[ModelAPI]:
    """The provider of models named `hawk_examples/<name>`."""
    return HawkExamplesModel
