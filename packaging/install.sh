#!/bin/sh
# Installs ndcli, the command line of ndauth, as one static binary on any Linux.
#
#     curl --proto '=https' -fsSL https://github.com/ndauth/ndauth/releases/latest/download/install.sh | sh
#
# It needs curl, and sha256sum or shasum. It reads these variables:
#
#     NDAUTH_VERSION    the version [default: @VERSION@]
#     NDAUTH_BIN        the folder for ndcli [default: /usr/local/bin if it is writable, else ~/.local/bin]
#     NDAUTH_DOWNLOADS  the URL or the folder of the release's files [default: the release at GitHub]
#
# Nothing is installed unless the file's SHA-256 stands in the release's list of checksums, and nothing is left behind
# by a failure. Everything is a function that the last line calls, so a download that was cut runs nothing.
set -eu

SOURCE=https://github.com/ndauth/ndauth

# Prints an error and the next step, and ends.
fail() {
    printf 'error: %s\n' "$1" >&2
    printf 'hint: %s\n' "$2" >&2
    exit 1
}

choose_version() {
    version=${NDAUTH_VERSION:-@VERSION@}
    version=${version#v}
    case $version in
        *[!0-9A-Za-z.+-]* | [!0-9]*)
            fail "\`$version\` is not a version" "set NDAUTH_VERSION to one of $SOURCE/releases, such as 0.1.0" ;;
        *) ;;
    esac
}

choose_file() {
    system=$(uname -s)
    machine=$(uname -m)
    case $system/$machine in
        Linux/x86_64 | Linux/amd64) file=ndauth_${version}_linux_amd64_ndcli ;;
        Linux/aarch64 | Linux/arm64) file=ndauth_${version}_linux_arm64_ndcli ;;
        *)
            fail "there is no ready-made ndcli for $system on $machine" \
                "build it with a Rust toolchain: cargo install --locked --git $SOURCE --tag v$version ndcli" ;;
    esac
    checksums=ndauth_${version}_checksums.txt
}

choose_source() {
    downloads=${NDAUTH_DOWNLOADS:-$SOURCE/releases/download/v$version}
    downloads=${downloads%/}
    case $downloads in
        *@*) fail "\`NDAUTH_DOWNLOADS\` holds an @" "set it to a URL without a user" ;;
        https://*) fetch_with=network protocols='=https' ;;
        # Only these reach this machine alone.
        http://127.0.0.1:* | http://127.0.0.1/* | http://localhost:* | http://localhost/* | 'http://[::1]'*)
            fetch_with=network protocols='=http' ;;
        file:///*) fetch_with=copy downloads=${downloads#file://} ;;
        /*) fetch_with=copy ;;
        *)
            fail "\`$downloads\` is neither an https:// URL nor a folder: nobody could vouch for the files" \
                "set NDAUTH_DOWNLOADS to a URL of https://, or to the absolute path of a folder" ;;
    esac
    if [ "$fetch_with" = network ]; then
        if command -v curl >/dev/null 2>&1; then
            fetch_with=curl
        else
            fail "curl is not installed" \
                "install it; or fetch $file and $checksums from $downloads elsewhere, and name their folder in NDAUTH_DOWNLOADS"
        fi
    fi
    if command -v sha256sum >/dev/null 2>&1; then
        hash_with=sha256sum
    elif command -v shasum >/dev/null 2>&1; then
        hash_with='shasum -a 256'
    else
        fail "neither sha256sum nor shasum is installed, and nothing is installed unverified" \
            "install coreutils, which has sha256sum"
    fi
}

choose_folder() {
    if [ -n "${NDAUTH_BIN:-}" ]; then
        bin=$NDAUTH_BIN
    elif [ -w /usr/local/bin ] || { [ -w /usr/local ] && ! [ -e /usr/local/bin ]; }; then
        bin=/usr/local/bin
    elif [ -n "${HOME:-}" ]; then
        bin=$HOME/.local/bin
    else
        fail "/usr/local/bin is not writable, and there is no home folder (HOME is not set)" \
            "set NDAUTH_BIN to a folder that this user can write to"
    fi
    case $bin in
        /*) ;;
        *) bin=$(pwd)/$bin ;;
    esac
    bin=${bin%/}
    if [ -d "$bin/ndcli" ]; then
        fail "\`$bin/ndcli\` is a folder" "set NDAUTH_BIN to another folder, or move that one away"
    fi
}

# Removes the temporary folder, and after a failure the folders that were created.
clean() {
    status=$?
    trap - EXIT
    if [ -n "$temporary" ]; then
        rm -rf "$temporary"
    fi
    if [ "$status" -ne 0 ] && [ -n "$created" ]; then
        folder=$bin
        while rmdir "$folder" 2>/dev/null && [ "$folder" != "$created" ]; do
            folder=${folder%/*}
        done
    fi
    exit "$status"
}

# Creates the folder for ndcli, and a temporary one in it, from which a rename is atomic.
make_folders() {
    temporary='' created=''
    trap clean EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    folder=$bin
    while [ -n "$folder" ] && ! [ -e "$folder" ]; do
        created=$folder
        folder=${folder%/*}
    done
    if ! { mkdir -p "$bin" && temporary=$(mktemp -d "$bin/.ndcli.XXXXXX"); }; then
        fail "cannot write to \`$bin\`" "set NDAUTH_BIN to a folder that this user can write to"
    fi
}

# Fetches a file of the release into the temporary folder.
fetch() {
    printf 'fetching %s/%s\n' "$downloads" "$1" >&2
    case $fetch_with in
        curl)
            curl --fail --silent --show-error --location --proto "$protocols" --proto-redir "$protocols" \
                --retry 3 --connect-timeout 20 --output "$temporary/$1" "$downloads/$1" ;;
        *) cp "$downloads/$1" "$temporary/$1" ;;
    esac || fail "cannot fetch $downloads/$1" \
        "check the network, and that version $version is one of $SOURCE/releases"
}

# Compares the file with its line in the list of checksums.
verify() {
    expected=''
    while read -r sum name; do
        if [ "${name#\*}" = "$file" ]; then
            expected=$sum
        fi
    done <"$temporary/$checksums"
    if [ -z "$expected" ]; then
        fail "$checksums has no line for $file" "report this at $SOURCE/issues: nothing was installed"
    fi
    actual=$($hash_with <"$temporary/$file")
    actual=${actual%% *}
    if [ "$actual" != "$expected" ]; then
        printf 'expected SHA-256: %s\n' "$expected" >&2
        printf '  actual SHA-256: %s\n' "$actual" >&2
        fail "$file is not the file that was released" "try again; if it stays so, report it at $SOURCE/issues"
    fi
}

# Runs the file once, and moves it into place.
install_file() {
    chmod 0755 "$temporary/$file"
    installed=$("$temporary/$file" --version) || fail "$file does not run in \`$bin\`" \
        "if that folder is mounted with \`noexec\`, set NDAUTH_BIN to another one"
    mv -f "$temporary/$file" "$bin/ndcli"
}

# Says what was installed, and if a shell finds it.
report() {
    found=$(command -v ndcli) || found=''
    case ":${PATH:-}:" in
        *":$bin:"*)
            if [ "$found" = "$bin/ndcli" ]; then
                path='which is on PATH'
            else
                path="but PATH finds $found first"
            fi ;;
        *) path="which is not on PATH: export PATH=\"$bin:\$PATH\"" ;;
    esac
    printf 'installed %s as %s, %s\n' "$installed" "$bin/ndcli" "$path"
}

main() {
    umask 022
    choose_version
    choose_file
    choose_source
    choose_folder
    make_folders
    fetch "$checksums"
    fetch "$file"
    verify
    install_file
    report
}

main
