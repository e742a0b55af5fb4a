"""Downloads a file over http or https, up to a limit."""

from pathlib import Path

import aiohttp

from groundswell.local.tasks.errors import RunError

_TIMEOUT = aiohttp.ClientTimeout(total=600, sock_connect=30, sock_read=60)


async def download(url: str, path: Path, *, limit: int) -> None:
    """Write what `url` answers to `path`. RunError when it cannot be had or is bigger than `limit` bytes."""
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session,
            session.get(url) as answer,
        ):
            if answer.status != 200:
                raise RunError(f"the source tarball cannot be had: its server answers {answer.status}")
            await save(answer.content, path, limit=limit)
    except (aiohttp.ClientError, TimeoutError) as exc:
        raise RunError(f"the source tarball cannot be had: {type(exc).__name__}") from exc


async def save(content: aiohttp.StreamReader, path: Path, *, limit: int) -> None:
    """Write a stream to `path`; RunError, and no file, when it is bigger than `limit` bytes."""
    size = 0
    with path.open("wb") as file:
        async for chunk in content.iter_chunked(1 << 16):
            size += len(chunk)
            if size > limit:
                break
            file.write(chunk)
    if size > limit:
        path.unlink()
        raise RunError(f"the source is bigger than {limit} bytes")
