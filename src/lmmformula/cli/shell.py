"""Scripts by which shells complete commands and options, made from what argparse knows."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lmmformula.cli.arguments import COMMANDS, parser


@dataclass(frozen=True, slots=True)
class Option:
    """
    One option of a command.

    names : `-o`, `--output`
    about : its help
    takes : "nothing", "choice", "data", "file" or "text"
    choices : the values it can have, where there are few
    """

    names: tuple[str, ...]
    about: str
    takes: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subcommand:
    """
    One command.

    formula : whether its first argument is a formula
    words : what its positional argument can be
    names : whether it can be the name of a data set
    files : whether it can be a file
    """

    name: str
    about: str
    options: tuple[Option, ...]
    formula: bool
    words: tuple[str, ...]
    names: bool
    files: bool


def completion_script(shell: str) -> str:
    """
    Write the script of a shell.

    >>> completion_script("bash").splitlines()[-1]
    'complete -o default -F _lmmformula lmmformula'
    """
    commands = list(_commands())
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](commands)


def _commands() -> Iterator[Subcommand]:
    subparsers = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001 (argparse shows its tables nowhere else)
    for name, command in subparsers.choices.items():
        actions = command._actions  # noqa: SLF001 (as above)
        options = tuple(_option(action) for action in actions if action.option_strings)
        words = tuple(str(c) for action in actions if not action.option_strings for c in action.choices or ())
        positional = {action.dest for action in actions if not action.option_strings}
        names, files = bool(positional & {"data", "name"}), "data" in positional
        yield Subcommand(name, COMMANDS[name].about, options, "formula" in positional, words, names, files)


def _option(action: argparse.Action) -> Option:
    names, about = tuple(action.option_strings), action.help or ""
    if action.nargs == 0:
        return Option(names, about, "nothing")
    if action.choices:
        return Option(names, about, "choice", tuple(map(str, action.choices)))
    if action.dest == "data":
        return Option(names, about, "data")
    if action.dest == "family":
        from lmmformula.families.table import FAMILIES

        return Option(names, about, "choice", tuple(FAMILIES))
    return Option(names, about, "file" if action.dest in ("output", "save") else "text")


def _datasets() -> str:
    from lmmformula import datasets

    return " ".join(datasets.names())


def _bash(commands: list[Subcommand]) -> str:
    names = " ".join(command.name for command in commands)
    lines = [
        "_lmmformula() {",
        f"  local datasets='{_datasets()}'",
        "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}",
        '  if [ "$COMP_CWORD" -eq 1 ]; then',
        f"    {_compgen([*names.split(), '--help', '--version'])}; return",
        "  fi",
        '  case "${COMP_WORDS[1]} $before" in',
        *(f"    {line}" for command in commands for line in _bash_values(command)),
        "  esac",
        "  case ${COMP_WORDS[1]} in",
        *(f"    {command.name}) {_compgen(_bash_words(command), files=command.files)} ;;" for command in commands),
        "  esac",
        "}",
        "complete -o default -F _lmmformula lmmformula",
    ]
    return "\n".join(lines)


def _bash_values(command: Subcommand) -> Iterator[str]:
    """Write what completes the values of options."""
    for option in command.options:
        if option.takes in ("choice", "data", "file"):
            patterns = "|".join(f'"{command.name} {name}"' for name in option.names)
            words = ["$datasets"] if option.takes == "data" else option.choices
            yield f"{patterns}) {_compgen(words, files=option.takes != 'choice')}; return ;;"


def _bash_words(command: Subcommand) -> list[str]:
    options = [name for option in command.options for name in option.names]
    return [*options, *command.words, *(["$datasets"] if command.names else [])]


def _compgen(words: Sequence[str], *, files: bool = False) -> str:
    return f'COMPREPLY=($(compgen {"-f " if files else ""}-W "{" ".join(words)}" -- "$word"))'


def _zsh(commands: list[Subcommand]) -> str:
    listed = " ".join(f"'{command.name}:{_escaped(command.about)}'" for command in commands)
    lines = [
        "#compdef lmmformula",
        f"_lmmformula_names() {{ compadd -- {_datasets()}; }}",
        "_lmmformula_data() { _lmmformula_names; _files; }",
        "_lmmformula() {",
        "  local -a commands",
        f"  commands=({listed})",
        "  if (( CURRENT == 2 )); then _describe command commands; return; fi",
        "  local command=$words[2]",
        "  shift words; (( CURRENT-- ))",
        "  case $command in",
        *(f"    {command.name}) _arguments {' '.join(_zsh_arguments(command))} ;;" for command in commands),
        "  esac",
        "}",
        "compdef _lmmformula lmmformula",
    ]
    return "\n".join(lines)


def _zsh_arguments(command: Subcommand) -> Iterator[str]:
    for option in command.options:
        yield from (_zsh_option(name, option) for name in option.names)
    if command.formula:
        yield "'1:formula:'"
    if command.names:
        yield f"'*:data:{'_lmmformula_data' if command.files else '_lmmformula_names'}'"
    elif command.words:
        yield f"'*:word:({' '.join(command.words)})'"


def _zsh_option(name: str, option: Option) -> str:
    about = _escaped(option.about)
    match option.takes:
        case "nothing":
            return f"'{name}[{about}]'"
        case "choice":
            return f"'{name}[{about}]:value:({' '.join(option.choices)})'"
        case "data":
            return f"'{name}[{about}]:data:_lmmformula_data'"
        case "file":
            return f"'{name}[{about}]:file:_files'"
        case _:
            return f"'{name}[{about}]:value:'"


def _escaped(text: str) -> str:
    """Make a text safe in a specification of zsh, where colons and brackets mean something."""
    return _quoted(text).replace(":", "\\:").replace("[", "(").replace("]", ")")


def _fish(commands: list[Subcommand]) -> str:
    lines = [
        f"function __lmmformula_names; printf '%s\\n' {_datasets()}; end",
        "complete -c lmmformula -f",
        *(
            f"complete -c lmmformula -n __fish_use_subcommand -a {command.name} -d '{_quoted(command.about)}'"
            for command in commands
        ),
    ]
    for command in commands:
        seen = f"complete -c lmmformula -n '__fish_seen_subcommand_from {command.name}'"
        lines += [f"{seen} {_fish_option(option)}" for option in command.options]
        words = "(__lmmformula_names)" if command.names else " ".join(command.words)
        if words:
            lines.append(f"{seen} {'-F ' if command.files else ''}-a '{words}'")
    return "\n".join(lines)


def _fish_option(option: Option) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
    words = "(__lmmformula_names)" if option.takes == "data" else " ".join(option.choices)
    values = f" -a '{words}'" if words else ""
    takes = {"nothing": "", "text": " -x", "choice": " -x", "data": " -r -F", "file": " -r -F"}[option.takes]
    return f"{names}{takes}{values} -d '{_quoted(option.about)}'"


def _quoted(text: str) -> str:
    """Make a text safe between single quotes."""
    return text.replace("'", "")
