"""Which version of the program this is."""


def version() -> str:
    """`unknown` where it runs from its files alone, as in Azure."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("groundswell")
    except PackageNotFoundError:
        return "unknown"
