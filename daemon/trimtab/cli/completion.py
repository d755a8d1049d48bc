"""``trimtab completion``: scripts with which a shell completes commands, options and names of deployments."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

Shell = Literal["bash", "zsh", "fish"]

# Each hands the words of the command line to `trimtab` in the variables in which typer expects them, and
# puts what comes back into the shell's own list as it is: nothing of it is evaluated.

BASH = """\
_trimtab_completion() {
    local IFS=$'\\n'
    mapfile -t COMPREPLY < <(
        COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" _TRIMTAB_COMPLETE=complete_bash \\
            "${COMP_WORDS[0]}" 2>/dev/null
    )
}
complete -o default -F _trimtab_completion trimtab
"""

ZSH = """\
#compdef trimtab
_trimtab() {
    local line
    local -a found
    _TYPER_COMPLETE_ARGS="${(j: :)words[1,CURRENT]}" _TYPER_COMPLETE_FISH_ACTION=get-args \\
        _TRIMTAB_COMPLETE=complete_fish "${words[1]}" 2>/dev/null | while IFS= read -r line; do
        [[ -n "$line" ]] && found+=("${${line//:/\\\\:}/$'\\t'/:}")
    done
    if (( ${#found} )); then
        _describe trimtab found
    else
        _files
    fi
}
if [[ "$funcstack[1]" == _trimtab ]]; then
    _trimtab "$@"
else
    compdef _trimtab trimtab
fi
"""

FISH = """\
function __trimtab_completion
    set -lx _TRIMTAB_COMPLETE complete_fish
    set -lx _TYPER_COMPLETE_FISH_ACTION get-args
    set -lx _TYPER_COMPLETE_ARGS (commandline --cut-at-cursor --current-process | string collect)
    trimtab 2>/dev/null
end
complete --command trimtab --arguments '(__trimtab_completion)'
"""

SCRIPTS: dict[Shell, str] = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def completion(
    shell: Annotated[Shell, typer.Argument(help="Which shell completes.", show_default=False)],
) -> None:
    """Print a script for the shell; it completes commands, options and the daemon's deployments.

    bash: `source <(trimtab completion bash)` in ~/.bashrc. zsh: the same with zsh in ~/.zshrc, after compinit.
    fish: `trimtab completion fish > ~/.config/fish/completions/trimtab.fish`.

    Names are asked of the daemon at TRIMTAB_URL or --url, and not waited for longer than 0.3 s.
    """
    typer.echo(SCRIPTS[shell], nl=False)
