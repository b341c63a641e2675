"""The command line: ``muster …``. What a command needs is imported when it runs, so that help is quick."""

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from services.cli.kubectl import Context, Kubeconfig
from services.cli.options import Assignments, Config, Form, LogFormat, Output, Servers
from services.cli.sim import sim

GROUPS = {
    "bench": "services.cli.bench:app",
    "events": "services.cli.events:app",
    "identity": "services.cli.identity:app",
    "local": "services.local.cli:app",
    "override": "services.cli.override:app",
    "record": "services.cli.record:app",
    "removals": "services.cli.removals:app",
    "replay": "services.cli.replay:app",
    "restore": "services.cli.restore:app",
    "schemas": "services.cli.schemas:app",
    "topics": "services.cli.topics:app",
}
"""Groups of commands, by where their typer app is: imported only when one of theirs is run or completed."""

PLUGIN = "kubectl muster"
"""What a user types where kubectl runs us."""

_SERVICE = "Exit codes: 0 drained after SIGTERM or SIGINT; 1 crashed; 2 the configuration cannot be used."


EXIT_CODES = (
    "Exit codes: 0 done, and as it should be; 1 what was looked at is not so, or a service crashed; 2 wrong usage or "
    "configuration, nothing was done; 3 told, but the topics say otherwise (explain); 130 interrupted, after what was "
    "there; 141 whoever read stdout left. Each command says in its --help what they mean there."
)


class HelpContext(typer.Context):
    """Lets the help of its command flow when it is asked for: no other run need import rich for it."""

    def get_help(self) -> str:
        """Return or print the help, as typer does."""
        from services.cli.prose import flowing

        flowing(self.command)
        return super().get_help()


def _flow_later(command: Any) -> None:  # noqa: ANN401 - typer's own types are private
    command.context_class = HelpContext
    for inner in getattr(command, "commands", {}).values():
        _flow_later(inner)


class LazyGroup(TyperGroup):
    """Puts a group's real commands in the place of its line in the help, once it is entered; lets their help flow."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer's own types are private
        """Return the command that ``args`` begin with."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in GROUPS:
            module, _, attribute = GROUPS[name].partition(":")
            command = typer.main.get_command(getattr(importlib.import_module(module), attribute))
            command.name = name
        if ctx.info_name == PLUGIN and command is not None:
            from services.cli.plugin import renamed

            renamed(command, self.list_commands(ctx))
        if command is not None:
            _flow_later(command)
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as above
        """Run the command; what typer has from pydantic of a wrong option is told without pydantic's prefix."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


app = typer.Typer(
    name="muster",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
    help="The roll call of a service mesh: who is there, who they really are, and what configuration they were given.",
)


@app.command(epilog=_SERVICE)
def agent(
    config: Config = None, servers: Servers = None, assignments: Assignments = None, log_format: LogFormat = None
) -> None:
    """Run the agent of this machine: join the mesh, send heartbeats, say goodbye.

    For example:

      muster agent --config agent.yaml --bootstrap-servers kafka:9092
    """
    from services.agent.main import run
    from services.agent.settings import AgentSettings
    from services.cli.options import settings_of
    from services.runtime import shutdown

    settings = settings_of(AgentSettings, "agent", config, servers, assignments, log_format)
    shutdown.run(lambda stopping: run(settings, stopping))


@app.command(epilog=_SERVICE)
def fleet(
    agents: Annotated[int, typer.Argument(min=1, metavar="N", help="How many agents.")],
    issuer: Annotated[
        Path | None, typer.Option(help="Folder of the mint that signs who they are; its bundle must be trusted.")
    ] = None,
    config: Config = None,
    servers: Servers = None,
    assignments: Assignments = None,
    log_format: LogFormat = None,
) -> None:
    """Run N agents in one process, each the same as the real one: for demos, soaks and measurements.

    For example:

      muster fleet 200 --issuer mint --set pacing.heartbeat_seconds=1
    """
    from services.agent.fleet import run
    from services.agent.settings import FleetSettings
    from services.cli.options import settings_of
    from services.runtime import shutdown

    minted = [f"issuer={issuer}"] if issuer is not None else []
    given = [f"size={agents}", *minted, *(assignments or [])]
    settings = settings_of(FleetSettings, "fleet", config, servers, given, log_format)
    shutdown.run(lambda stopping: run(settings, stopping))


@app.command(epilog=_SERVICE)
def processor(
    config: Config = None, servers: Servers = None, assignments: Assignments = None, log_format: LogFormat = None
) -> None:
    """Run a worker of the processor: it decides who is present; more workers share the partitions.

    For example:

      muster processor --bootstrap-servers kafka:9092
    """
    from services.cli.options import EXIT_USAGE, settings_of
    from services.processor.main import run
    from services.processor.settings import ProcessorSettings
    from services.runtime.config import ConfigError

    try:
        run(settings_of(ProcessorSettings, "processor", config, servers, assignments, log_format))
    except ConfigError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None


@app.command(epilog=_SERVICE)
def sink(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    config: Config = None,
    servers: Servers = None,
    assignments: Assignments = None,
    log_format: LogFormat = None,
) -> None:
    """Run the sink: it writes what the processor decided into Kubernetes.

    For example:

      muster sink --bootstrap-servers kafka:9092 --context production
    """
    from services.cli.options import settings_of
    from services.runtime import shutdown
    from services.sink.main import run
    from services.sink.settings import SinkSettings

    where = {"kubeconfig": kubeconfig, "context": context}
    given = [*(assignments or []), *(f"{name}={value}" for name, value in where.items() if value is not None)]
    settings = settings_of(SinkSettings, "sink", config, servers, given, log_format)
    shutdown.run(lambda stopping: run(settings, stopping))


@app.command(
    epilog="Exit codes: 0 shown; 1 the named workload is not there; 2 wrong usage; 130 interrupted; 141 whoever read "
    "stdout left."
)
def status(
    workload: Annotated[str | None, typer.Argument(help="Name of the object, or the workload's identity.")] = None,
    namespace: Annotated[str | None, typer.Option("-n", "--namespace", help="Only this namespace.")] = None,
    all_namespaces: Annotated[bool, typer.Option("-A", "--all-namespaces", help="All namespaces (default).")] = False,
    follow: Annotated[bool, typer.Option("-w", "--watch", help="Go on and show what changes.")] = False,
    output: Annotated[Output, typer.Option("-o", "--output", help="Form of the output.")] = Output.TABLE,
    config: Config = None,
    servers: Servers = None,
    assignments: Assignments = None,
) -> None:
    """Show who is there, like `kubectl get war -A`, from the topic muster.workloads.

    AGE counts from the start of the present session, as far back as the topic knows it.

    For example:

      muster status

      muster status -n bookinfo -o wide

      muster status --watch
    """
    import asyncio

    from services.cli.options import settings_of
    from services.cli.printing import faults_told
    from services.cli.status import Selection, show, watch
    from services.runtime.config import ServiceSettings

    if all_namespaces and namespace:
        raise typer.BadParameter("give one of -n and -A")
    settings = settings_of(ServiceSettings, "status", config, servers, assignments)
    with faults_told():
        asyncio.run((watch if follow else show)(settings, Selection(namespace, workload, output)))


@app.command(
    epilog="Exit codes: 0 told; 1 the workload, or its state then, is not known, or the log does not reach so far; 2 "
    "wrong usage, the name of several workloads, or the log names a trust bundle that was not given; 3 told, but "
    "muster.workloads says otherwise: give the processor's rules; 130 interrupted, after the story so far; 141 whoever "
    "read stdout left."
)
def explain(
    workload: Annotated[str, typer.Argument(help="Name of the object, identity, or NAMESPACE/GROUP/IDENTITY.")],
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Its state then, and why: an RFC 3339 time, 03:12, or 15m (before the end)."),
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option("-f", "--recording", metavar="FILE|-", help="Of a recording, or - for stdin; not of the cluster."),
    ] = None,
    namespace: Annotated[str | None, typer.Option("-n", "--namespace", help="Only this namespace.")] = None,
    output: Annotated[Form, typer.Option("-o", "--output", help="Form of the output.")] = Form.TABLE,
    config: Config = None,
    servers: Servers = None,
    assignments: Assignments = None,
    bundle: Annotated[
        list[Path] | None,
        typer.Option("--bundle", metavar="DIR|FILE", help="A trust bundle that the log names; may be repeated."),
    ] = None,
) -> None:
    """Tell the story of one workload: when it was marked absent, why, and which resourceVersion says so.

    The log is folded by the processor's own rules, and nothing is written. Rules are those of `muster processor`: give
    the same --config or --set. A TIME is in UTC where it says no zone, and 03:12 is all of that minute, of the last day
    of the log or recording. What is read from stdin is kept in the temporary folder meanwhile: it is read twice.

    For example:

      muster explain ratings-jwt-corp--ann -n bookinfo

      muster explain bookinfo/ratings/jwt-corp--ann --at 2026-11-23T03:12:26Z

      muster explain jwt-corp--ann --recording night.jsonl.zst

      muster explain jwt-corp--ann --at 03:12 --set rules.missed_windows=5
    """
    import asyncio
    from datetime import UTC, datetime

    from services.cli.explain import Question
    from services.cli.explain import explain as tell
    from services.cli.naming import Asked
    from services.cli.options import settings_of
    from services.cli.printing import faults_told
    from services.cli.trusting import bundles_of
    from services.processor.settings import ProcessorSettings
    from services.replay.moments import moment
    from services.runtime import shutdown

    try:
        if at is not None:
            moment(at, datetime.now(UTC))  # of which day it is, only the log will say
    except ValueError as fault:
        raise typer.BadParameter(f"--at {fault}") from None
    settings = settings_of(ProcessorSettings, "explain", config, servers, assignments)
    question = Question(Asked(workload, namespace), at, recording, bundles_of(bundle, settings))
    codes: list[int] = []

    async def run(stopping: asyncio.Event) -> None:
        codes.append(await tell(settings, question, stopping, as_json=output is Form.JSON))

    with faults_told():
        shutdown.run(run)
    raise typer.Exit(codes[0])


@app.command(epilog="Exit codes: 0 everything was shown and is so; 1 something was not as the tour promises.")
def demo(
    leave: Annotated[
        bool, typer.Option("--exit", envvar="DEMO_EXIT", help="End the stack after the tour, instead of leaving it up.")
    ] = False,
) -> None:
    """Take a guided tour on a real Kafka and a real Kubernetes API of this machine.

    For example:

      muster demo

      muster local down
    """
    from services.cli.demo.main import run

    run(leave=leave)


app.command(
    epilog="Exit codes: 0 every invariant held; 1 a seed failed, and is told; 2 wrong usage, or no checkout of Muster."
)(sim)


@app.command()
def bench() -> None:
    """Measure the parts on a real broker, beside bounds of the same run."""


@app.command()
def events() -> None:
    """Read the records of muster.events, like kcat; nothing on the cluster changes."""


@app.command()
def identity() -> None:
    """Say what a credential proves; make, show and check trust bundles; mint identities for development."""


@app.command()
def local() -> None:
    """Start, inspect and stop the local stack: a real Kafka and a real Kubernetes API."""


@app.command()
def override() -> None:
    """Order the roll call to release a brake, or to hold removals and resume them."""


@app.command()
def record() -> None:
    """Record a range of the log in a file, to replay it anywhere."""


@app.command()
def removals() -> None:
    """List the removed workloads, why they were removed, and what became of them."""


@app.command()
def restore() -> None:
    """Bring the WorkloadEntry of a removed workload back, for a machine that is in fact alive."""


@app.command()
def replay() -> None:
    """Fold the log again by the processor's own rules, and print what it decided."""


@app.command()
def topics() -> None:
    """Create the topics in Kafka, or check those that exist."""


@app.command()
def schemas() -> None:
    """Write the JSON Schemas of all messages, or check that they are the models'."""


def main() -> None:
    """Run the command line."""
    app()
