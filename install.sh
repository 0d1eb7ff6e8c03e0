#!/usr/bin/env bash
# Create .venv in this folder, link every command into Claude's commands folder, and main.py as
# `samocode`. Never overwrites other files. Works with bash 3.2 (macOS). tests/run sources it.
set -euo pipefail
unset CDPATH # with it, cd may go to another folder

usage() {
    cat <<'END'
Usage: ./install.sh [--plugin | --demo | --uninstall | --help]

  (nothing)     make .venv here, link commands/*.md into ~/.claude/commands
                (or $CLAUDE_CONFIG_DIR/commands) and main.py as samocode into
                ~/.local/bin (or $SAMOCODE_BIN); may be run again at any time
  --plugin      the same without links to the commands: Claude Code gets them from
                this folder as a plugin, and they are called /samocode:NAME
  --demo        make .venv here, then play a whole session with a scripted
                stand-in for Claude: needs no claude and no API key, makes no links
  --uninstall   remove the links, .venv, .demo and the folders this script made
END
}

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() { warn "$*"; exit 1; }

# Resolve symbolic links. (macOS before 12.3 has no readlink -f.)
real_file() {
    local file=$1 target
    while [ -L "$file" ]; do
        target=$(readlink "$file")
        case $target in
            /*) file=$target ;;
            *) file=$(dirname "$file")/$target ;;
        esac
    done
    printf '%s/%s\n' "$(cd "$(dirname "$file")" && pwd -P)" "$(basename "$file")"
}

python_is_fit() { "$1" -c "import sys; $2; sys.exit(sys.version_info < (3, 11))" </dev/null >/dev/null 2>&1; }

# Print every python on PATH. A broken pyenv shim may hide a working one of the same name.
pythons() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do type -aP "$name" || true; done
}

# Print a Python 3.11 or newer that can create a venv. Otherwise report what is missing and return 1.
find_python() {
    local python without_venv=""
    while IFS= read -r python; do
        if python_is_fit "$python" "import ensurepip, venv"; then printf '%s\n' "$python"; return; fi
        if [ -z "$without_venv" ] && python_is_fit "$python" "pass"; then without_venv=$python; fi
    done < <(pythons)
    if [ -n "$without_venv" ]; then
        warn "$without_venv cannot make a virtual environment (no ensurepip). On Debian and Ubuntu: sudo apt install python3-venv. Then run this again."
    else
        warn "No Python 3.11 or newer was found. Get one: 'sudo apt install python3 python3-venv' (Debian 12, Ubuntu 24.04 or newer), 'brew install python' (macOS), or https://www.python.org/downloads/. Then run this again."
    fi
    return 1
}

# .venv/.samocode marks a .venv created by this script. It contains the checksum of requirements.txt.
venv_works() { [ -x "$venv/bin/python" ] && python_is_fit "$venv/bin/python" "import pip"; }

make_venv() {
    local python
    if venv_works; then return; fi
    if { [ -e "$venv" ] || [ -L "$venv" ]; } && [ ! -f "$mark" ]; then
        die "$venv has no working Python 3.11 or newer, and this script did not make it. Move it away and run this again."
    fi
    python=$(find_python) || exit 1
    say "Making .venv with $python"
    rm -rf "$venv"
    mkdir "$venv"
    : >"$mark"
    "$python" -m venv "$venv" >"$venv/made.log" 2>&1 || { cat "$venv/made.log" >&2; die "$python could not make .venv."; }
}

install_requirements() {
    local sum log="$venv/pip.log"
    sum=$(cksum <"$clone/requirements.txt")
    if [ -f "$mark" ] && [ "$(cat "$mark")" = "$sum" ] && "$venv/bin/python" -c 'import dotenv, requests' 2>/dev/null; then
        return
    fi
    say "Installing requirements.txt into .venv"
    # --no-cache-dir: write nothing outside this folder. PIP_USER=0: "user = true" in the user's
    # pip.conf makes pip fail in a venv.
    if PIP_USER=0 "$venv/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check \
        -r "$clone/requirements.txt" >"$log" 2>&1; then
        rm -f "$log"
        if [ -f "$mark" ]; then printf '%s\n' "$sum" >"$mark"; fi
        return
    fi
    cat "$log" >&2
    if grep -Eqi 'retrying|connection|name resolution|timed out|ssl|proxy' "$log"; then
        die "pip could not reach its package index. Check the network, a proxy (HTTPS_PROXY) or a mirror (PIP_INDEX_URL), then run this again."
    fi
    die "pip could not install requirements.txt: see its output above."
}

# Record created folders, and folders with links, for --uninstall.
remember() {
    mkdir -p "$clone/.cache"
    grep -Fqxs -- "$1" "$made" || printf '%s\n' "$1" >>"$made"
}

make_folder() {
    [ -d "$1" ] && return
    make_folder "$(dirname "$1")"
    local why
    why=$(mkdir "$1" 2>&1) || die "$1 could not be made: $why"
    remember "folder $1"
}

# Link one file. If something else has its name, say so, name an alternative ($3) and return 1.
link() {
    local source=$1 name=$2 other=$3
    if [ "$name" -ef "$source" ]; then return; fi
    if [ -L "$name" ] && [ ! -e "$name" ]; then
        warn "Left alone: $name points to $(readlink "$name"), which is gone."
        gone="$gone $(printf '%q' "$name")"
        return 1
    fi
    if [ -e "$name" ]; then
        warn "Left alone: $name is not a link of this clone. Move it away and run this again to get Samocode's, or $other"
        return 1
    fi
    ln -s "$source" "$name"
}

# Whether link $1 points to this clone, or is a dead link to the clone's former location.
is_own() {
    local target place
    target=$(readlink "$1")
    place=${target%/commands/"$(basename "$1")"}
    [ "$place" != "$target" ] || place=${target%/main.py}
    [ "$place" != "$target" ] || return 1
    [ "$place" = "$clone" ] || { [ ! -e "$1" ] && grep -Fqxs -- "clone $place" "$made"; }
}

# Remove link $1 if it is this script's; with "stale", only if its target is gone.
remove_link() {
    [ -L "$1" ] && is_own "$1" || return 0
    if [ "${2:-}" = stale ] && [ -e "$1" ]; then return 0; fi
    rm "$1"
    say "Removed $1"
}

# The same for all links to commands in folder $1.
remove_links() {
    local name
    for name in "$1"/*.md; do remove_link "$name" "${2:-}"; done
}

# Link main.py as the program samocode.
link_program() {
    local said
    if [ -z "$bin" ]; then
        warn "HOME is not set: there is no place for the link samocode. Set SAMOCODE_BIN to a folder, or call $clone/main.py"
        return
    fi
    make_folder "$bin"
    remember "program $bin/samocode"
    remove_link "$bin/samocode" stale
    link "$clone/main.py" "$bin/samocode" "set SAMOCODE_BIN to another folder" || return 1
    say "samocode is linked in $bin"
    said=$("$bin/samocode" --version 2>&1 </dev/null) || warn "samocode does not start ($said). It needs a working python3 on your PATH: put one there, or call $(printf '%q' "$venv/bin/python") $(printf '%q' "$clone/main.py") instead."
    case ":$PATH:" in
        *":$bin:"*) [ "$(command -v samocode)" -ef "$clone/main.py" ] || warn "$(command -v samocode) comes first on your PATH and is another program: rename it, or put $bin before its folder." ;;
        *) warn "$bin is not on your PATH. Add it in your shell's profile: export PATH=\"$bin:\$PATH\"" ;;
    esac
}

# Link the commands. Updates `left` and `gone`, which are local variables of link_all.
link_commands() {
    local source linked=0 other="use the plugin: $clone/install.sh --plugin"
    make_folder "$folder"
    remember "links $folder"
    remove_links "$folder" stale
    for source in "$clone"/commands/*.md; do
        [ -f "$source" ] || die "$clone/commands is empty: this clone is not complete."
        if link "$source" "$folder/$(basename "$source")" "$other"; then
            linked=$((linked + 1))
            name_clashes "$(basename "$source" .md)"
        else
            left=$((left + 1))
        fi
    done
    say "$linked commands are linked in $folder"
}

# Warn if a skill or another command has the name $1. `other` is a local variable of link_commands.
# Precedence as in CLI 2.1.332.
name_clashes() {
    local place own remedy="Rename it, or $other"
    own=$(dirname "$folder")
    for place in "$own" "$PWD/.claude"; do
        if [ -e "$place/skills/$1/SKILL.md" ]; then
            warn "Hidden: /$1 is the skill $place/skills/$1, not Samocode's command. $remedy"
        fi
        if [ "$place" = "$own" ] && [ "$own" = "$PWD/.claude" ]; then return; fi
    done
    if [ -e "$PWD/.claude/commands/$1.md" ]; then
        warn "Hidden: /$1 is Samocode's command now, not $PWD/.claude/commands/$1.md. $remedy"
    fi
}

link_all() {
    local left=0 gone=""
    remember "clone $clone"
    if [ "$1" = --plugin ]; then remove_links "$folder"; else link_commands; fi
    link_program || left=$((left + 1))
    [ "$left" = 0 ] && return
    warn "Links not made: $left (see above)."
    [ -z "$gone" ] || warn "If these dead links point to the former place of this clone, remove them and run this script again: rm$gone"
    return 1
}

check_tools() {
    local claude=${CLAUDE_PATH:-claude}
    if command -v "$claude" >/dev/null; then
        say "claude: $(command -v "$claude")"
    else
        warn "claude was not found ($claude). Get it: https://code.claude.com/docs/en/setup (npm install -g @anthropic-ai/claude-code). If it is installed elsewhere, set CLAUDE_PATH=/path/to/claude in $clone/.env (samocode reads it, this script does not)"
    fi
    command -v git >/dev/null || warn "git was not found. Without it, Samocode can only research. Install it with your package manager."
}

plugin_steps() {
    cat <<END

Next: add this folder to Claude Code as a plugin, once:
    claude plugin marketplace add $(printf '%q' "$clone")
    claude plugin install samocode@samocode
To remove it: claude plugin uninstall samocode@samocode
END
}

next_steps() {
    cat <<'END'

Next: in your project's folder write a file named .samocode:
    MAIN_REPO=.
    WORKTREES=../myproject-worktrees
    SESSIONS=../myproject-sessions
Check there that everything is ready: samocode --check
Start claude there and say:
    Run samocode with a dive into <what to look at>. Task: <what to do>.
Or run it yourself there: samocode --session <name> --task "<what to do>"
To see a whole session first, without claude: ./install.sh --demo
END
}

install() {
    local status=0
    check_tools
    make_venv
    install_requirements
    link_all "$1" || status=1
    if [ "$1" = --plugin ]; then plugin_steps; fi
    next_steps
    return $status
}

demo() {
    make_venv
    install_requirements
    exec "$venv/bin/python" "$clone/main.py" --demo
}

uninstall() {
    local line
    remove_links "$folder"
    if [ -n "$bin" ]; then remove_link "$bin/samocode"; fi
    if [ -f "$made" ]; then
        # Newest first, so that a folder is removed before its parent.
        sed -n '1!G;h;$p' "$made" | while IFS= read -r line; do
            case $line in
                "links "*) remove_links "${line#links }" ;;
                "program "*) remove_link "${line#program }" ;;
                "folder "*) if rmdir "${line#folder }" 2>/dev/null; then say "Removed ${line#folder }"; fi ;;
            esac
        done
        rm "$made"
        rmdir "$clone/.cache" 2>/dev/null || true
    fi
    if [ -f "$mark" ]; then rm -rf "$venv"; say "Removed $venv"; fi
    if [ -d "$clone/.demo" ]; then rm -rf "$clone/.demo"; say "Removed $clone/.demo"; fi
    say "Samocode is uninstalled. This folder and your sessions are still there."
}

main() {
    if [ $# -gt 1 ]; then usage >&2; exit 2; fi
    clone=$(dirname "$(real_file "${BASH_SOURCE[0]}")")
    venv=$clone/.venv
    mark=$venv/.samocode
    made=$clone/.cache/installed
    case ${1:-} in
        --help | -h) usage; return ;;
        --demo) demo ;;
        "" | --plugin | --uninstall) ;;
        *) warn "install.sh: unknown option $1"; usage >&2; exit 2 ;;
    esac
    if [ -z "${CLAUDE_CONFIG_DIR:-}${HOME:-}" ]; then die "Neither HOME nor CLAUDE_CONFIG_DIR is set: there is no place for the commands."; fi
    folder=${CLAUDE_CONFIG_DIR:-$HOME/.claude}/commands
    case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
    bin=${SAMOCODE_BIN:-${HOME:+$HOME/.local/bin}}
    case $bin in /* | "") ;; *) bin=$PWD/$bin ;; esac
    if [ "${1:-}" = --uninstall ]; then uninstall; else install "${1:-}"; fi
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then main "$@"; fi
