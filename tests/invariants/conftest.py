from tests.unit.cascade import conftest

make_world = conftest.make_world
