"""`treadle doctor`: what endangers jobs in this store."""

import click

from treadle.cli.options import as_json, store_url
from treadle.cli.show import coloured, show_json
from treadle.cli.target import on_store, open_app
from treadle.core.printable import one_line
from treadle.errors import StoreError
from treadle.stores.url import mask
from treadle.stores.views import Finding


@click.command()
@click.argument("app", required=False, metavar="[APP]")
@store_url
@as_json
def doctor(app: str | None, url: str | None, *, as_json: bool) -> int:
    """Look for what endangers jobs: the store's address, schema, settings, persistence and clock.

    Ends with exit code 1 where something is an error; a warning is none.
    """
    target = open_app(app, url)
    address = mask(target.url)
    try:
        findings = on_store(target, lambda store: store.diagnose())
    except StoreError as error:
        findings = [Finding("error", str(error))]
    if as_json:
        show_json({"url": address, "findings": findings})
    else:
        click.echo(f"store    {one_line(address)}")
        for finding in findings:
            click.echo(f"{coloured(finding.level, finding.level.ljust(7))}  {one_line(finding.text)}")
    return int(any(finding.level == "error" for finding in findings))
