"""`credit-ct rights`: the SQL that a database server needs before the platform does."""

import click

from credit_ct_dagster.cli.options import examples


@click.command("rights", epilog=examples("credit-ct rights", "credit-ct rights --mysql"))
@click.option("--mysql", "for_mysql", is_flag=True, help="For MySQL 8 instead of MariaDB.")
def command(for_mysql: bool) -> None:
    """Print the SQL that gives the users of a database server their rights.

    It creates the databases, the table of the service's log and that of the features unless they
    exist, and grants each user what it needs, with the tables and columns that DATA_SCHEMA
    declares. It connects to nothing: a DBA reads it, creates the users, and executes it.
    """
    from credit_ct_dagster.operations.rights import rights

    click.echo(rights(for_mysql=for_mysql), nl=False)
