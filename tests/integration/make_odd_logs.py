"""Make eval logs that have in them what logs seldom have, offline, with the real Inspect: for importers to agree on.

Usage: make_odd_logs.py FOLDER. Leaves <kind>.eval for each kind. Run it with a Python that has inspect-ai.
"""

import copy
import datetime
import json
import logging
import math
import pathlib
import sys
import zipfile

from inspect_ai import Epochs, Task, eval
from inspect_ai._util import zipfile as inspect_zipfile  # noqa: F401 - teaches zipfile about zstd
from inspect_ai.agent import Agent, AgentState, agent, handoff, react
from inspect_ai.approval import ApprovalPolicy, auto_approver
from inspect_ai.dataset import Sample
from inspect_ai.event import (
    AnchorEvent, ApprovalEvent, BranchEvent, CompactionEvent, ErrorEvent, InfoEvent, InputEvent, InterruptEvent,
    LoggerEvent, LoggingMessage, ModelEvent, ReviewEvent, SampleLimitEvent, SandboxEvent, ScoreEditEvent, ScoreEvent,
    SpanBeginEvent, SpanEndEvent, StateEvent, StoreEvent, SubtaskEvent, ToolEvent,
)
from inspect_ai.event._checkpoint import CheckpointEvent
from inspect_ai.event._input import InputField
from inspect_ai.log import (
    EvalError, EvalLog, EvalSampleLimit, ProvenanceData, edit_score, invalidate_samples, read_eval_log, transcript, write_eval_log,
)
from inspect_ai.model import (
    ChatMessageAssistant, ChatMessageSystem, ChatMessageTool, ChatMessageUser, ContentAudio, ContentData, ContentImage,
    ContentReasoning, ContentText, GenerateConfig, ModelCall, ModelOutput, ModelUsage, get_model,
)
from inspect_ai.scorer import Score, ScoreEdit, accuracy, mean, scorer, stderr
from inspect_ai.solver import generate, solver, use_tools
from inspect_ai.tool import ToolCall, ToolCallContent, ToolCallError, ToolCallView, ToolInfo, bash, tool
from inspect_ai.util import SandboxEnvironmentSpec, sandbox, span, store, subtask
from make_logs import answer, call, model, run

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
BEGUN = datetime.datetime(2025, 3, 4, 5, 6, 7, 891234, datetime.UTC)
LONG = "a text that is long enough to become an attachment of its own, again and again; " * 4
STRANGE = "nul \0 inside, \u0085 next line, \u2028 separator, \x1b[1mbold\x1b[0m, ✓ 漢字 🂡, \\u0000 as text"


def instant(seconds: float) -> datetime.datetime:
    """An instant so long after the beginning."""
    return BEGUN + datetime.timedelta(seconds=seconds)


def told(folder: pathlib.Path, kind: str, change, base: str = "base") -> None:
    """Write the base log, changed, as another eval."""
    log = read_eval_log(str(folder / f"{base}.eval"), resolve_attachments=True)
    own = f"{kind}-{log.eval.eval_id}"
    log.eval.eval_id = own
    for i, sample in enumerate(log.samples or []):
        sample.uuid = f"{own}-{i}"
    changed: EvalLog = change(log) or log
    write_eval_log(changed, str(folder / f"{kind}.eval"))


def rewritten(folder: pathlib.Path, kind: str, change, base: str = "base", method: int = zipfile.ZIP_DEFLATED) -> None:
    """Write the base log with change(name, JSON) applied to each member, as another eval, in bytes Inspect did not make."""
    with zipfile.ZipFile(folder / f"{base}.eval") as old, zipfile.ZipFile(folder / f"{kind}.eval", "w", method) as new:
        spec = json.loads(old.read("header.json"))["eval"]["eval_id"].encode()
        for name in old.namelist():
            body = old.read(name).replace(spec, f"{kind}-".encode() + spec)
            document = json.loads(body)
            for sample in document if isinstance(document, list) else [document]:
                if "uuid" in sample:
                    sample["uuid"] = f"{kind}-{sample['uuid']}"
            document = change(name, document) or document
            text = document if isinstance(document, str) else json.dumps(document)
            new.writestr(name, text.encode("utf-8", "surrogatepass"))


@tool
def add():
    """Build the tool."""

    async def execute(a: int, b: int) -> str:
        """Add two numbers.

        Args:
            a: One.
            b: The other.
        """
        return str(a + b)

    return execute


@scorer(metrics=[accuracy(), stderr()])
def exact():
    """Score by equality."""

    async def score(state, target):
        return Score(value="C" if state.output.completion == target.text else "I", answer=state.output.completion)

    return score


@scorer(metrics=[mean()], name="values")
def scored_as(values: list):
    """Score each sample by the next value."""
    rest = list(values)

    async def score(state, target):
        return Score(value=rest.pop(0), explanation=f"as {state.sample_id}")

    return score


def make_base(folder: pathlib.Path) -> None:
    """Three samples that call a tool; what told() and rewritten() change."""
    outputs = [out for i in range(3) for out in (call("add", {"a": i, "b": 2}, i), answer(str(i + 2), i))]
    samples = [Sample(id=f"s{i}", input=f"{i} + 2? {LONG}", target=str(i + 2), metadata={"i": i}) for i in range(3)]
    task = Task(name="base", dataset=samples, solver=[use_tools(add()), generate()], scorer=exact())
    run(folder, "base", task, model(outputs), metadata={"eval_set_id": "odd", "created_by": "ann@example.com"}, tags=["base"])


def make_scores(folder: pathlib.Path) -> None:
    """Values of every type, numbers that are none, edits."""
    values = [math.nan, math.inf, -math.inf, True, False, "text", 3, 2.5, -0.0, 1e300, [1, "two", True], {"a": 1, "b": math.nan}, "", 2**40]
    samples = [Sample(id=i, input=f"value {i}", target="x") for i in range(len(values))]
    task = Task(name="scores", dataset=samples, solver=generate(), scorer=[scored_as(values), exact()])
    run(folder, "scores", task, model([answer("x") for _ in values]))

    def edit(log: EvalLog) -> None:
        who = ProvenanceData(timestamp=instant(9000), author="ann", reason="wrong", metadata={"ticket": 7})
        edit_score(log, "s0", "exact", ScoreEdit(value="I", provenance=who))
        edit_score(log, "s0", "exact", ScoreEdit(answer=None, explanation="later", provenance=who))
        edit_score(log, "s1", "exact", ScoreEdit(value=0.5, metadata={"new": STRANGE}))
        edit_score(log, "s2", "added", ScoreEdit(value=math.nan, explanation="new", provenance=who))

    told(folder, "score_edits", edit)


def make_invalidated(folder: pathlib.Path) -> None:
    """Samples that somebody has declared invalid."""

    def invalidate(log: EvalLog) -> EvalLog:
        uuids = [sample.uuid for sample in log.samples[:2]]
        who = ProvenanceData(timestamp=instant(1), author="ann", reason="leaked")
        log = invalidate_samples(log, [uuids[0]], who)
        return invalidate_samples(log, [uuids[1]], ProvenanceData(timestamp=instant(2), author="bob"))

    told(folder, "invalidated", invalidate)


def make_ends(folder: pathlib.Path) -> None:
    """Logs that ended in other ways, and every limit."""

    def cancelled(log: EvalLog) -> None:
        log.status, log.results = "cancelled", None

    def failed(log: EvalLog) -> None:
        log.status = "error"
        log.error = EvalError(message=STRANGE, traceback="Traceback\n" * 3, traceback_ansi="\x1b[31mTraceback\x1b[0m")

    told(folder, "cancelled", cancelled)
    told(folder, "error_at_end", failed)
    for kind in ("context", "time", "working", "message", "token", "cost", "operator", "custom", "turn"):

        def limited(log: EvalLog, kind=kind) -> None:
            sample = log.samples[0]
            sample.limit = EvalSampleLimit(type=kind, limit=12.5, reason="enough")
            if kind != "context":
                sample.events.insert(-3, SampleLimitEvent(type=kind, message=f"{kind} is up", limit=12.5, timestamp=instant(7e7)))
            log.eval.config.time_limit, log.eval.config.working_limit = 60, 50
            log.eval.config.cost_limit, log.eval.config.token_limit, log.eval.config.message_limit = 1.25, 2**33, 40

        told(folder, f"limit_{kind}", limited)


def make_orders(folder: pathlib.Path) -> None:
    """Scores, limits and other events in every order that decides when a sample was complete."""
    kinds = {
        "i": lambda: InfoEvent(data="x"),
        "f": lambda: ScoreEvent(score=Score(value=1), scorer="final"),
        "p": lambda: ScoreEvent(score=Score(value=1), intermediate=True),
        "l": lambda: SampleLimitEvent(type="custom", message="m"),
    }
    orders = ["i", "f", "fi", "ifi", "iff", "ffi", "ipp", "pfli", "ilf", "illi", "iflf", "lf", "fl", "iiflpi", ""]

    def ordered(log: EvalLog) -> None:
        first = log.samples[0]
        log.samples = []
        for i, order in enumerate(orders):
            sample = copy.deepcopy(first)
            sample.id, sample.uuid, sample.scores = order or "none", f"orders-{log.eval.eval_id}-{i}", None
            sample.events = [kinds[letter]() for letter in order]
            for n, event in enumerate(sample.events):
                event.timestamp = instant(n)
            log.samples.append(sample)

    told(folder, "orders", ordered)


def make_texts(folder: pathlib.Path) -> None:
    """Characters that databases do not take, and JSON that few write."""

    def with_text(text: str):
        def change(name: str, document):
            if not name.startswith("samples/"):
                return
            document["input"] = text
            document["metadata"] = {f"\0key{text}": text, "nan": math.nan, "inf": -math.inf, "big": 2**70, "exp": 1e300, "zero": -0.0,
                                    "deep": [[[{"x": [text]}]]], "": None, "a.b": {"c": []}}
            document["messages"][0]["content"] = text + LONG
            document["output"]["choices"][0]["message"]["content"] = text
            document["scores"]["exact"].update(answer=text, explanation=text + LONG, metadata={"\0": "\0"})
            document["error"] = {"message": text, "traceback": text, "traceback_ansi": text}
            for event in document["events"]:
                event["metadata"] = {"note": text}
                if event["event"] == "tool":
                    event["result"] = text + LONG
            document["attachments"] = {key: content + text for key, content in document["attachments"].items()}

        return change

    rewritten(folder, "texts", with_text(STRANGE))
    rewritten(folder, "lone_surrogates", with_text("\ud83d alone \udd82"))

    def spelled(name: str, document):
        return json.dumps(document, indent=3)

    rewritten(folder, "indented", spelled, method=zipfile.ZIP_STORED)


def make_times(folder: pathlib.Path) -> None:
    """Instants with other offsets, with fewer and more digits, and none."""
    forms = ["2025-03-04T05:06:07Z", "2025-03-04T05:06:07.5+02:00", "2025-03-04T05:06:07.123456-08:30", "2025-03-04 05:06:08+00:00",
             "2025-03-04T05:06:09.123456789Z", "2025-03-04T05:06:10"]

    def timed(name: str, document):
        if name.startswith("samples/"):
            for i, event in enumerate(document["events"]):
                event["timestamp"] = forms[i % len(forms)]
            document["events"].sort(key=lambda event: forms.index(event["timestamp"]))
            document["events"] = [event for event in document["events"] if event["event"] not in ("score", "sample_limit")]
        if name == "header.json":
            document["eval"]["created"] = "2025-03-04T05:06:07+02:00"
            document["stats"].update(started_at="2025-03-04T05:06:07-07:00", completed_at="")
        return None

    rewritten(folder, "times", timed)


def chat() -> list:
    """Messages with content of every type."""
    return [
        ChatMessageSystem(content="Be brief.", id="m0"),
        ChatMessageUser(content=[ContentText(text=LONG), ContentImage(image=PIXEL), ContentAudio(audio="data:audio/wav;base64,AAAA", format="wav")], id="m1"),
        ChatMessageAssistant(
            content=[ContentReasoning(reasoning="hm " * 60, signature="sig"), ContentText(text="I look."), ContentData(data={"k": [1]})],
            tool_calls=[ToolCall(id="c1", function="add", arguments={"a": 1, "b": [1, {"x": None}]}, parse_error="bad")], id="m2",
            model="mockllm/model", metadata={"m": 1},
        ),
        ChatMessageTool(content=LONG, tool_call_id="c1", function="add", error=ToolCallError("timeout", "too slow"), id="m3"),
        ChatMessageUser(content="go on", id="m4", source="input"),
    ]


def every_event() -> list:
    """An event of each type with every field set."""
    at = iter(range(100))
    usage = {"mockllm/model": ModelUsage(input_tokens=1, output_tokens=2, total_tokens=3, total_cost=0.25)}
    tool_call = ToolCall(id="c1", function="add", arguments={"a": 1})
    view = ToolCallView(context=ToolCallContent(title="T", format="markdown", content="*c*"), call=ToolCallContent(format="text", content=LONG))

    def base(**more) -> dict:
        n = next(at)
        return {"timestamp": instant(n), "working_start": n + 0.5, "uuid": f"uuid{n}", "span_id": "span1", "metadata": {"n": n}, **more}

    output = ModelOutput.from_content("openrouter/org/slug", "an answer")
    output.usage, output.error, output.metadata = usage["mockllm/model"], "odd", {"raw": LONG}
    model_event = {
        "model": "openrouter/org/slug", "role": "grader", "input": chat(), "tools": [ToolInfo(name="add", description="adds")],
        "tool_choice": "auto", "config": GenerateConfig(temperature=0.5, stop_seqs=["x"], extra_body={"k": {"v": 1}}), "output": output,
        "retries": 2, "error": "429", "traceback": "Traceback", "traceback_ansi": "\x1b[1mT", "cache": "write", "working_time": 0.75,
        "call": ModelCall(request={"model": "org/slug-2025", "messages": [{"role": "user", "content": LONG}], "n": 1}, response={"id": "r", "text": LONG}, time=0.5),
    }
    return [
        SpanBeginEvent(**base(id="span1", parent_id="span0", type="agent", name="react")),
        StateEvent(**base(changes=[{"op": "replace", "path": "/output/x", "value": {"a": [1, None]}, "replaced": 1}, {"op": "move", "path": "/a", "from": "/b"}])),
        StoreEvent(**base(changes=[{"op": "add", "path": "/k", "value": LONG}, {"op": "remove", "path": "/z"}])),
        ModelEvent(**base(**model_event, completed=instant(50), pending=True)),
        ModelEvent(**base(model="mockllm/model", input=chat()[:2], tools=[], tool_choice="none", config=GenerateConfig(), output=ModelOutput())),
        ToolEvent(**base(id="c1", function="add", arguments={"a": LONG, "b": None}, result=LONG, truncated=(10, 5), error=ToolCallError("permission", "no"),
                         view=view.call, agent="sub", failed=True, message_id="m3", agent_span_id="span2", completed=instant(51), working_time=0.1)),
        ToolEvent(**base(id="c2", function="look", arguments={}, result=[ContentText(text="seen"), ContentImage(image=PIXEL)])),
        ToolEvent(**base(id="c3", function="count", arguments={"x": 1.5}, result=42)),
        ToolEvent(**base(id="c4", function="is", arguments={"x": True}, result=False)),
        ApprovalEvent(**base(message="may I?", call=tool_call, view=view, approver="auto", decision="modify", modified=tool_call, explanation=LONG)),
        SandboxEvent(**base(action="exec", cmd="ls -l", options={"timeout": 5, "user": None}, input="in\0put", result=2, output=LONG, completed=instant(52))),
        SandboxEvent(**base(action="write_file", file="/a b", input="text")),
        SubtaskEvent(**base(name="sub", type="fork", input={"x": [1]}, result={"y": None}, completed=instant(53), working_time=1.25)),
        SampleLimitEvent(**base(type="token", message="no more", limit=100.0)),
        ErrorEvent(**base(error=EvalError(message="boom", traceback=LONG, traceback_ansi="\x1b[31mT"))),
        InfoEvent(**base(source="me", data={"deep": [LONG, {"n": 1}]})),
        InfoEvent(**base(data="just text")),
        LoggerEvent(**base(message=LoggingMessage(name="httpx", level="warning", message=LONG, created=1e12, filename="f.py", module="m", lineno=3))),
        InputEvent(**base(input="yes", input_ansi="\x1b[1myes", message="sure?", fields=[InputField(name="f", type="boolean", description="d")],
                          outcome="accepted", content={"f": True})),
        CompactionEvent(**base(type="edit", role="main", tokens_before=1000, tokens_after=100, source="inspect")),
        BranchEvent(**base(from_anchor="anchor1")),
        AnchorEvent(**base(anchor_id="anchor1", source="mod.fn")),
        InterruptEvent(**base(source="user_cancel", interrupted="tool_call", interrupted_tool_call_id="c1", interrupted_model_event_id="uuid3")),
        CheckpointEvent(**base(checkpoint_id=2**40, trigger="turn", trigger_metadata={"every": 2}, turn=3, created_at=instant(54), duration_ms=17,
                               size_bytes=2**41, host=snapshot(), sandboxes={"default": snapshot()}, new_field={"x": 1})),
        CheckpointEvent(**base(checkpoint_id=1, trigger="manual", turn=1, created_at=instant(55), duration_ms=1, size_bytes=1, host=snapshot())),
        ReviewEvent(**base(message="done", call=tool_call, reviewer="auto", decision="continue", explanation="fine")),
        ScoreEvent(**base(score=Score(value={"a": math.nan}, answer="a", explanation=LONG, metadata={"k": LONG}), target=["t", "u"], intermediate=True,
                          scorer="exact", scorer_args={"x": [1]}, model_usage=usage, role_usage={"grader": usage["mockllm/model"]})),
        ScoreEditEvent(**base(score_name="exact", edit=ScoreEdit(value=0.5, provenance=ProvenanceData(timestamp=instant(56), author="ann")))),
        SpanEndEvent(**base(id="span1")),
        ScoreEvent(**base(score=Score(value="C"), target="t")),
    ]


def snapshot() -> dict:
    """What a checkpoint says of a repository."""
    return {"snapshot_id": "abc", "size_bytes": 10, "duration_ms": 3}


def make_events(folder: pathlib.Path) -> None:
    """Every event with every field, messages with every content."""

    def filled(log: EvalLog) -> None:
        sample = log.samples[0]
        sample.input, sample.messages = chat()[:2], chat()
        sample.events = every_event()
        log.samples[1].events = [event for event in every_event() if event.event in ("span_begin", "info", "span_end")]
        log.samples[1].messages = []
        log.samples[2].events, log.samples[2].messages, log.samples[2].scores = [], chat()[:1], {}

    told(folder, "every_event", filled)

    def legacy(name: str, document):
        if name.startswith("samples/"):
            first = document["events"][0]
            step = {**first, "event": "step", "action": "begin", "type": "solver", "name": "generate", "uuid": "step"}
            for key in ("sample", "state"):
                step.pop(key, None)
            document["events"].insert(1, step)
            document["events"].append({**step, "action": "end", "uuid": "step2"})
            nested = {"event": "model", "model": "nested/inner-model", "timestamp": first["timestamp"], "working_start": 0}
            document["events"].append({"event": "subtask", "name": "s", "input": [], "result": 1, "events": [nested], "timestamp": first["timestamp"],
                                       "working_start": 3, "pending": False})
            document["future_field"] = {"x": 1}
            document["events"][0]["future_field"] = [1]
        return None

    rewritten(folder, "legacy_events", legacy)


def make_names(folder: pathlib.Path) -> None:
    """Names of models as providers, services, labs and calls have them."""
    usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)

    def named(declared: str, called: str | None):
        def change(log: EvalLog) -> None:
            log.eval.model = declared
            log.stats.model_usage = {declared: usage, "openai/azure/other": usage}
            for sample in log.samples:
                sample.output.model = declared
                sample.model_usage = {declared: usage, "anthropic/claude-x": usage}
                for event in sample.events:
                    if isinstance(event, ModelEvent):
                        event.model = declared
                        event.output.model = called or declared
                        event.call = ModelCall(request={"model": called} if called else {}, response={})

        return change

    pairs = [
        ("openai/azure/gpt-4o", "gpt-4o"), ("openai/gpt-4o", None), ("openrouter/anthropic/claude-3", "anthropic/claude-3"),
        ("openai-api/groq/llama-3", "llama-3"), ("google/vertex/gemini-2", None), ("together/org/slug", "slug"), ("bare-name", "bare-name-2025"),
        ("hf/org/repo", "org/repo"), ("anthropic/bedrock/claude-3", "us.claude-3"), ("none/none", None), ("openai/ft:gpt-4o:me::id", "ft:gpt-4o:me::id"),
        ("openrouter/x", None), ("azureai/m", "azureai/m"), ("a/b/c/d", "c/d"),
    ]
    for i, (declared, called) in enumerate(pairs):
        told(folder, f"names_{i}", named(declared, called))


@agent
def helper() -> Agent:
    """An agent that another hands over to."""

    async def execute(state: AgentState) -> AgentState:
        """Help with it."""
        state.messages.append(ChatMessageAssistant(content="I helped."))
        return state

    return execute


@subtask(name="counted", store=None)
async def counted(n: int) -> int:
    """A subtask."""
    transcript().info({"n": n})
    return n + 1


@solver
def busy():
    """Leave events of many kinds."""

    async def solve(state, generate):
        async with span("outer", type="solver"):
            store().set("count", {"n": 1, "list": [1, 2]})
            store().set("count", {"n": 2, "list": [1]})
            await counted(3)
            logging.getLogger("busy").warning("a warning with %s", LONG)
            async with span("inner"):
                await sandbox().write_file("a file.txt", "content\n" + LONG)
                await sandbox().exec(["cat", "a file.txt"], env={"X": "1"}, timeout=10)
                await sandbox().exec(["false"])
                await sandbox().read_file("a file.txt")
        grader = get_model(role="grader", default="mockllm/default-grader")
        await grader.generate("grade this", config=GenerateConfig(temperature=0.5))
        state.metadata["seen"] = True
        return state

    return solve


def make_agents(folder: pathlib.Path) -> None:
    """Agents, sub-agents, sandboxes, approvals, roles, several models, reducers."""
    outputs = [
        call("transfer_to_helper", {}, 1), call("add", {"a": 1, "b": 2}, 2), call("bash", {"cmd": "echo hello"}, 3), call("submit", {"answer": "done"}, 4),
    ]
    task = Task(
        name="agents", dataset=[Sample(id=1, input="go", target="done", sandbox="local", files={"data.txt": "x"}), Sample(id=2, input="go", target="no")],
        solver=[busy(), react(tools=[handoff(helper()), add(), bash()])], scorer=exact(), sandbox="local", version="2.0-beta", metadata={"of": {"task": [1]}},
        approval=[ApprovalPolicy(approver=auto_approver("reject"), tools="bash"), ApprovalPolicy(approver=auto_approver(), tools="*")],
    )
    graders = {"grader": [model([answer("g", i) for i in range(20)]), get_model("mockllm/second", custom_outputs=[answer("s") for _ in range(20)])],
               "critic": model([answer("c")])}
    run(folder, "agents", task, model(outputs * 4), epochs=Epochs(2, ["mean", "mode", "at_least_1"]), model_roles={"grader": graders["grader"][0], "critic": graders["critic"]},
        task_args={}, message_limit=30, temperature=0.25, max_tokens=100, log_level="warning")

    def filled(log: EvalLog) -> None:
        log.eval.task_args = {"text": "x", "list": [1, {"k": None}], "n": 1.5}
        log.eval.model_args = {"arg": {"deep": True}}
        log.eval.model_base_url = "http://127.0.0.1/v1"
        log.eval.sandbox = SandboxEnvironmentSpec("docker", "compose.yaml")
        for sample in log.samples:
            sample.sandbox = SandboxEnvironmentSpec("k8s", {"values": "v.yaml", "none": None, "services": {"default": {"image": "i", "environment": {"KEY": "x"},
                                                                                                                      "env_file": "f", "null": None}}})
        config = copy.deepcopy(log.eval.model_roles["grader"])
        other = config.model_copy(update={"model": "openai/azure/second", "config": GenerateConfig(temperature=1.0), "base_url": "http://h", "args": {"a": 1}})
        log.eval.model_roles["grader"] = [config, other, other]

    told(folder, "specs", filled, base="agents")


def make_sizes(folder: pathlib.Path) -> None:
    """No samples; nothing in a sample; much in a sample."""

    def empty(log: EvalLog) -> None:
        log.samples, log.eval.metadata = [], None

    def bare(log: EvalLog) -> None:
        for sample in log.samples:
            sample.events, sample.messages, sample.scores, sample.metadata = [], [], None, {}
            sample.output, sample.model_usage, sample.working_time, sample.total_time = ModelOutput(), {}, None, None
        log.eval.metadata = {"eval_set_id": "odd"}

    def large(log: EvalLog) -> None:
        sample = log.samples[0]
        sample.messages = [ChatMessageUser(content=f"{i} {LONG}", id=f"u{i}") for i in range(2000)]
        sample.events = [InfoEvent(data={"i": i, "text": f"{i} {LONG * 3}"}, timestamp=instant(i)) for i in range(3000)]
        sample.metadata = {"large": [LONG] * 4000}

    told(folder, "no_samples", empty)
    told(folder, "bare_samples", bare)
    told(folder, "large_sample", large)


def main() -> None:
    """Make all kinds."""
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    make_base(folder)
    for make in (make_scores, make_invalidated, make_ends, make_orders, make_texts, make_times, make_events, make_names, make_agents, make_sizes):
        make(folder)


if __name__ == "__main__":
    main()
