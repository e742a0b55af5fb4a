"""Who builds what: by the image's builder at the start, by the run's id ever after."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from groundswell.build.port import BuildRequest, Run, RunStatus, Source
from groundswell.build.router import RoutedBuilder, builder_of
from groundswell.errors import GroundswellError, PermanentError, TemporaryError

HOST = "acr.example.com"


@dataclass
class Calls:
    """ACR Tasks, or a pipeline, that notes what it is asked."""

    run: str
    asked: list[tuple[str, ...]] = field(default_factory=list)
    down: GroundswellError | None = None

    def start(self, request: BuildRequest) -> Run:
        return self._run("start", request.name)

    def observe(self, *of: str) -> Run:
        return self._run("observe", *of)

    def cancel(self, *of: str) -> None:
        self._run("cancel", *of)

    def log(self, *of: str) -> str:
        return self._run("log", *of).id

    def named(self, registry: str) -> Mapping[str, Run]:
        return {f"build-{self.run}": self._run("named", registry)}

    def going_on(self) -> Mapping[str, Run]:
        return {f"build-{self.run}": self._run("going_on")}

    def forget(self, registry: str, name: str) -> None:
        self._run("forget", registry, name)

    def _run(self, *asked: str) -> Run:
        if self.down:
            raise self.down
        self.asked.append(asked)
        return Run(id=self.run, status=RunStatus.RUNNING)


def request(builder: str | None) -> BuildRequest:
    return BuildRequest(
        name="gs-1",
        registry=HOST,
        repository="app",
        tag="1",
        source=Source(location="https://host/repo.git"),
        builder=builder,
    )


@pytest.fixture
def tasks() -> Calls:
    return Calls("cf1")


@pytest.fixture
def azure() -> Calls:
    return Calls("531")


@pytest.fixture
def router(tasks: Calls, azure: Calls) -> RoutedBuilder:
    return RoutedBuilder(tasks, {"azure": lambda: azure, "jenkins": lambda: Calls("9687")})


def test_a_build_goes_to_the_builder_of_its_image(router: RoutedBuilder, tasks: Calls, azure: Calls) -> None:
    assert router.start(request(None)).id == "cf1"
    assert router.start(request("azure")).id == "azure:531"
    assert (tasks.asked, azure.asked) == ([("start", "gs-1")], [("start", "gs-1")])


def test_a_run_is_looked_for_where_it_was_begun(router: RoutedBuilder, tasks: Calls, azure: Calls) -> None:
    assert router.observe(HOST, "azure:531").id == "azure:531"
    router.cancel(HOST, "azure:531")
    assert router.log(HOST, "azure:531") == "531"
    assert azure.asked == [("observe", "531"), ("cancel", "531"), ("log", "531")]
    assert tasks.asked == []


def test_the_ids_of_before_are_of_acr_tasks(router: RoutedBuilder, tasks: Calls, azure: Calls) -> None:
    assert router.observe(HOST, "cf1").id == "cf1"
    router.cancel(HOST, "cf1")
    assert router.log(HOST, "cf1") == "cf1"
    router.forget(HOST, "gs-1")
    assert tasks.asked == [
        ("observe", HOST, "cf1"),
        ("cancel", HOST, "cf1"),
        ("log", HOST, "cf1"),
        ("forget", HOST, "gs-1"),
    ]
    assert azure.asked == []
    assert (builder_of("cf1"), builder_of("azure:531")) == ("", "azure")


def test_all_that_goes_on_is_listed_though_one_cannot_be_asked(router: RoutedBuilder, azure: Calls) -> None:
    found = router.named(HOST)
    assert {name: run.id for name, run in found.items()} == {
        "build-cf1": "cf1",
        "build-531": "azure:531",
        "build-9687": "jenkins:9687",
    }
    azure.down = TemporaryError("no answer")
    assert set(router.named(HOST)) == {"build-cf1", "build-9687"}


def test_acr_tasks_that_cannot_be_asked_are_told(router: RoutedBuilder, tasks: Calls) -> None:
    tasks.down = TemporaryError("no answer")
    with pytest.raises(TemporaryError):
        router.named(HOST)


def test_a_builder_that_the_settings_do_not_have_is_named(router: RoutedBuilder) -> None:
    with pytest.raises(PermanentError, match="builder 'gone' is not in the setting GROUNDSWELL_BUILDERS"):
        router.start(request("gone"))
    with pytest.raises(PermanentError, match="'gone'"):
        router.observe(HOST, "gone:1")


def test_nothing_is_built_of_a_source_at_a_host_that_is_not_listed(tasks: Calls, azure: Calls) -> None:
    router = RoutedBuilder(tasks, {"azure": lambda: azure}, source_hosts=("github.com",))
    for builder in (None, "azure"):
        with pytest.raises(
            PermanentError, match=r"^host is none of the hosts in the setting GROUNDSWELL_SOURCE_HOSTS"
        ):
            router.start(request(builder))
    assert tasks.asked == azure.asked == []
    taken = Source(location="https://github.com/a.git")
    assert router.start(replace(request(None), source=taken)).id == "cf1"
    assert router.observe(HOST, "azure:531").id == "azure:531"  # what runs already is followed


def test_a_pipeline_is_made_once(tasks: Calls) -> None:
    made: list[Calls] = []

    def make() -> Calls:
        made.append(Calls("1"))
        return made[-1]

    router = RoutedBuilder(tasks, {"azure": make})
    assert made == []
    for _ in range(2):
        router.observe(HOST, "azure:1")
    assert len(made) == 1
