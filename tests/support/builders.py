"""Every builder of the product, each with its look-alike, behind the one router: the contract suite's world."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from groundswell.build.azure_pipelines import AzurePipelinesBuilder
from groundswell.build.jenkins import JenkinsBuilder
from groundswell.build.port import Builder
from groundswell.build.router import RoutedBuilder
from groundswell.local import git
from groundswell.local.certs import certificates
from groundswell.local.serve import Servers
from groundswell.local.tasks.faults import Faults
from groundswell.settings import BuildServer
from tests.support import azure_devops, jenkins
from tests.support.azure_devops import AzureDevOps
from tests.support.jenkins import Jenkins
from tests.support.tasks import CONCURRENCY, IDS, World, tasks_world

KINDS = ("acr-tasks", "azure-pipelines", "jenkins")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One builder and its look-alike.

    `begins` and `looks` are where its faults meet the request that begins a build, and that which observes one;
    `count` tells the runs that there are; `impatient` makes a builder that waits half a second for an answer.
    """

    world: World
    faults: Faults
    begins: str
    looks: str
    count: Callable[[], int]
    impatient: Callable[[], Builder]


@dataclass(frozen=True, slots=True, kw_only=True)
class Builders:
    services: Mapping[str, Service]
    azure: AzureDevOps
    azure_server: BuildServer
    jenkins: Jenkins
    jenkins_server: BuildServer


@contextmanager
def builders_world(folder: Path) -> Iterator[Builders]:
    with tasks_world(folder) as tasks, Servers(certificates(folder / "certs")) as servers, ExitStack() as stack:
        azure = AzureDevOps(folder / "azure", tasks.identity, concurrency=CONCURRENCY)
        jenkins_ = Jenkins(folder / "jenkins", concurrency=CONCURRENCY)
        azure_server = BuildServer(
            kind="azure-pipelines",
            url=f"http://127.0.0.1:{servers.serve(azure.app, tls=False)}/contoso",
            slots=2,
            project=azure_devops.PROJECT,
            pipeline=azure_devops.PIPELINE,
            token=azure_devops.TOKEN,
        )
        jenkins_server = BuildServer(
            kind="jenkins",
            url=f"http://127.0.0.1:{servers.serve(jenkins_.app, tls=False)}/jenkins/",
            slots=2,
            job=jenkins.JOB,
            user=jenkins.USER,
            token=jenkins.TOKEN,
        )

        def router(read_seconds: float) -> Builder:
            own = tasks.another_builder(read_seconds=read_seconds)
            first = AzurePipelinesBuilder(azure_server, tasks.credential, read_seconds=read_seconds)
            second = JenkinsBuilder(jenkins_server, read_seconds=read_seconds)
            for each in (own, first, second):
                stack.callback(each.close)
            return RoutedBuilder(own, {"azure-pipelines": lambda: first, "jenkins": lambda: second})

        sources = f"http://127.0.0.1:{servers.serve(lambda: git.application(folder), tls=False)}"
        world = replace(tasks, builder=router(10))
        services = {
            "acr-tasks": Service(
                world=world,
                faults=world.faults,
                begins="PUT .*/taskRuns/",
                looks="GET .*/runs/",
                count=lambda: len(list(world.sdk.runs.list(IDS.resource_group, IDS.name))),
                impatient=lambda: router(0.5),
            ),
            "azure-pipelines": Service(
                world=replace(world, kind="azure-pipelines", sources=sources),
                faults=azure.faults,
                begins="POST .*/runs$",
                looks="GET .*/builds/[0-9]+$",
                count=lambda: azure.count,
                impatient=lambda: router(0.5),
            ),
            "jenkins": Service(
                world=replace(world, kind="jenkins", sources=sources),
                faults=jenkins_.faults,
                begins="POST .*/buildWithParameters$",
                looks="GET .*/job/.*/api/json$|GET .*/queue/item/",
                count=lambda: jenkins_.count,
                impatient=lambda: router(0.5),
            ),
        }
        yield Builders(
            services=services,
            azure=azure,
            azure_server=azure_server,
            jenkins=jenkins_,
            jenkins_server=jenkins_server,
        )
