"""The tour itself: five chapters, each of which does something to the world and shows what became of it."""

import json
from typing import Any

from services.cli.demo import rollcall
from services.cli.demo.manifests import GROUPS, POLICIES
from services.cli.demo.show import Show, TourError
from services.cli.demo.world import (
    BOOKKEEPER,
    FLEET,
    GRACE_WINDOWS,
    MISSED_WINDOWS,
    RATER,
    WINDOW_MS,
    Machine,
    World,
)

EVERYBODY = FLEET + 2


class Tour:
    """Goes through the chapters; TourError where the world disappoints."""

    def __init__(self, world: World, show: Show) -> None:
        self.world = world
        self.show = show

    async def run(self) -> None:
        """Show everything, in order."""
        await self.gather()
        await self.into_kubernetes()
        await self.lost_and_back()
        await self.removed()
        await self.snapshots()

    async def gather(self) -> None:
        """Kafka, processor and agents: the roll call is there before Kubernetes is."""
        words = (
            "A real Kafka starts; on it run the processor and 12 agents of EC2 machines in two WorkloadGroups. Each "
            "proves who it is by a signed document, here of a mint that the processor's trust bundle believes in. "
            "The roll call lives in the topics, so it can be read at once, while a real Kubernetes API is still being "
            "built (once, minutes; afterwards it comes from the cache)."
        )
        self.show.chapter("The roll call, from the topics", words)
        with self.show.console.status("Kafka: starting") as status:
            await self.world.kafka(status.update)
            await self.world.processor()
            status.update("processor: starting")
            await self.world.trusting()
        await self.world.fleet()
        for machine in (RATER, BOOKKEEPER):
            await self.world.agent(machine)
        self.show.console.print("\n[bold]$ muster status --watch[/]")
        await rollcall.watch(self.world, self.show.console, EVERYBODY)

    async def into_kubernetes(self) -> None:
        """Let the sink catch up from the compacted topic."""
        words = (
            "Now the Kubernetes API is there, with Istio's own WorkloadGroups. The sink starts late and misses "
            "nothing: it reads the newest state of every workload from the compacted topic and makes it so."
        )
        self.show.chapter("Into Kubernetes", words)
        with self.show.console.status("Kubernetes API: starting") as status:
            await self.world.kubernetes(status.update)
        await self.world.kubectl("apply", "-f", "-", stdin=GROUPS)
        await self.world.sink()
        self.show.say("Nobody joins unless a policy allows it; the agents hear why, and people see it.")
        await self.show.until("the first refused agent", self._refused)
        refused = ["get", "onboardingattempts", "-A", "-o", "wide"]
        self.show.ran(f"kubectl {' '.join(refused)}", await self.world.kubectl(*refused))
        self.show.ran("kubectl apply -f policies.yaml", await self.world.kubectl("apply", "-f", "-", stdin=POLICIES))
        await self.show.until(f"{EVERYBODY} WARs", self._all_there)
        self.show.ran("kubectl get war -A", await self.world.kubectl("get", "war", "-A"))
        command = ["describe", "war", "-n", RATER.namespace, RATER.war]
        self.show.ran(f"kubectl {' '.join(command)}", await self.world.kubectl(*command))

    async def _refused(self) -> bool:
        return "NotAllowedByPolicy" in await self.world.kubectl("get", "oa", "-A")

    async def _all_there(self) -> bool:
        listed = await self.world.kubectl("get", "war", "-A", "--no-headers")
        return listed.count(" True ") == EVERYBODY

    async def lost_and_back(self) -> None:
        """SIGKILL, and back."""
        seconds = MISSED_WINDOWS * WINDOW_MS / 1000
        words = (
            f"An agent is killed with SIGKILL: it says no goodbye. Missed in {MISSED_WINDOWS} successive windows "
            f"({seconds:g} s here, 30 s by default) its workload is not connected; when the agent is back, it is again."
        )
        self.show.chapter("Lost, and back", words)
        await self.world.kill(RATER)
        await self.show.until("AGENT CONNECTED to be False", lambda: self._connected(RATER, "False"))
        await self._get("wide", RATER)
        await self.world.agent(RATER)
        await self.show.until("AGENT CONNECTED to be True again", lambda: self._connected(RATER, "True"))
        await self._get("wide", RATER)

    async def removed(self) -> None:
        """Past the grace."""
        words = (
            f"Another one is killed and does not come back. {GRACE_WINDOWS} windows later (5 minutes by default) its "
            "registration is removed, and with it the WorkloadEntry that Istio routes to."
        )
        self.show.chapter("Gone past its grace", words)
        await self.world.kill(BOOKKEEPER)
        await self.show.until("AGENT CONNECTED to be False", lambda: self._connected(BOOKKEEPER, "False"))
        await self.show.until("its WAR to be removed", lambda: self._gone(BOOKKEEPER))
        command = ["get", "war,workloadentries", "-n", BOOKKEEPER.namespace]
        self.show.ran(f"kubectl {' '.join(command)}", await self.world.kubectl(*command))

    async def snapshots(self) -> None:
        """Edit the group; delete one WAR."""
        words = (
            "The WorkloadGroup is edited: those who joined keep the snapshot they joined with, and say that they are "
            "behind. Deleting a WAR makes its agent onboard anew: same name, new uid, the group as it is now."
        )
        self.show.chapter("A changed group, and a fresh start", words)
        before = await self._war(RATER)
        patch = '{"spec":{"template":{"ports":{"http":9090}}}}'
        edit = ["patch", "workloadgroup", "ratings", "-n", RATER.namespace, "--type=merge", "-p", patch]
        self.show.ran(f"kubectl {' '.join(edit[:-1])} '{patch}'", await self.world.kubectl(*edit))
        await self.show.until(
            "the WAR to say it is behind", lambda: self._condition(RATER, "WorkloadGroupCurrent", "False")
        )
        behind = await self._war(RATER)
        if _port(behind) != _port(before) or behind["metadata"]["uid"] != before["metadata"]["uid"]:
            raise TourError("the snapshot of a joined workload changed")
        self.show.say(f"Its snapshot still has port {_port(behind)}.")
        delete = ["delete", "war", "-n", RATER.namespace, RATER.war]
        self.show.ran(f"kubectl {' '.join(delete)}", await self.world.kubectl(*delete))

        async def anew() -> bool:
            after = await self._war(RATER)
            return bool(after) and after["metadata"]["uid"] != before["metadata"]["uid"]

        await self.show.until("a new WAR of the same name", anew)
        await self.show.until("AGENT CONNECTED to be True", lambda: self._connected(RATER, "True"))
        after = await self._war(RATER)
        if _port(after) == _port(before):
            raise TourError("the new WAR carries the old group")
        self.show.say(
            f"uid {before['metadata']['uid']} → {after['metadata']['uid']}, port {_port(before)} → {_port(after)}"
        )
        await self._get("wide", RATER)

    async def _get(self, output: str, machine: Machine) -> None:
        command = ["get", "war", "-n", machine.namespace, machine.war, "-o", output]
        self.show.ran(f"kubectl {' '.join(command)}", await self.world.kubectl(*command))

    async def _war(self, machine: Machine) -> dict[str, Any]:
        """Return the machine's WAR, or an empty one where there is none."""
        command = ["get", "war", "-n", machine.namespace, machine.war, "-o", "json", "--ignore-not-found"]
        printed = await self.world.kubectl(*command)
        war: dict[str, Any] = json.loads(printed) if printed.strip() else {}
        return war

    async def _condition(self, machine: Machine, kind: str, status: str) -> bool:
        conditions = (await self._war(machine)).get("status", {}).get("conditions", [])
        return any(one["type"] == kind and one["status"] == status for one in conditions)

    async def _connected(self, machine: Machine, status: str) -> bool:
        return await self._condition(machine, "AgentConnected", status)

    async def _gone(self, machine: Machine) -> bool:
        return not await self._war(machine)


def _port(war: dict[str, Any]) -> int:
    """Return the port of the group in the WAR's snapshot."""
    (port,) = war["spec"]["workloadGroup"]["spec"]["template"]["ports"].values()
    return int(port)
