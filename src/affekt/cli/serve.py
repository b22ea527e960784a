"""`affekt serve`: a model behind HTTP, and the page where people look."""

from pathlib import Path
from typing import Annotated

import typer

from affekt.cli.options import ModelName, Speed


def serve(
    model: ModelName = None,
    speed: Speed = None,
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 for everywhere.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any.", min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Processes, each with the model.", min=1, max=64)] = 1,
    api_key_file: Annotated[Path | None, typer.Option(help="Keys of which requests bring one.")] = None,
    max_queue: Annotated[int, typer.Option(help="Texts that may wait; beyond it 429.", min=1)] = 2048,
    max_batch_tokens: Annotated[int, typer.Option(help="Tokens of a batch, with padding.", min=1)] = 1024,
    max_texts: Annotated[int, typer.Option(help="Texts of a request.", min=1)] = 1024,
    max_body: Annotated[int, typer.Option(help="Bytes of a request.", min=1)] = 2 * 2**20,
    cache_mb: Annotated[int, typer.Option(help="Recent answers kept, in MB; 0 for none.", min=0)] = 64,
    cors: Annotated[
        list[str] | None, typer.Option(help="A web page's origin that may use it; may be repeated.")
    ] = None,
) -> None:
    """Serve a model over HTTP: affekt's own interface, OpenAI's, TEI's and others, and a page."""
    from affekt.serving.server import run
    from affekt.serving.settings import Limits, Settings, read_keys

    limits = Limits(
        body=max_body, texts=max_texts, queue=max_queue, batch_tokens=max_batch_tokens, cache=cache_mb * 2**20
    )
    keys = read_keys(api_key_file) if api_key_file else ()
    settings = Settings(model=model, speed=speed, limits=limits, keys=keys, origins=tuple(cors or ()))
    run(settings, host=host, port=port, workers=workers)
