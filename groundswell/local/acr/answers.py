"""Small things that every part of the front needs."""

from urllib.parse import unquote

from aiohttp import web


def decoded_path(request: web.Request) -> str:
    """The path with `%2F` decoded too: azure-containerregistry sends the slashes of repository names so."""
    return unquote(request.rel_url.raw_path)


def refused(status: int, code: str, message: str) -> web.Response:
    """An error as registries give it (OCI distribution-spec, "Error Codes")."""
    return web.json_response({"errors": [{"code": code, "message": message, "detail": None}]}, status=status)
