"""Commands that print what the program says of itself."""

import click

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "modelbox-server"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print what makes SHELL complete commands, options and job ids.

    In ~/.bashrc: eval "$(modelbox-server completion bash)"; for zsh the same in ~/.zshrc; for fish:
    modelbox-server completion fish > ~/.config/fish/completions/modelbox-server.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    variable = f"_{PROGRAM}_COMPLETE".replace("-", "_").upper()
    click.echo(kind(context.find_root().command, {}, PROGRAM, variable).source())
    return 0


@click.command(name="cli-doc")
@click.pass_context
def cli_doc(context: click.Context) -> int:
    """Print docs/cli.md."""
    from server.commands.cli_markdown import markdown

    click.echo(markdown(context.find_root().command), nl=False)
    return 0
