# shellcheck shell=bash
# The steps that installer/run and installer/test share: each is one line with its seconds, keeps its whole
# output in build/logs/, and when it fails says which step, its last lines, what to do and where the log is.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs=$root/build/logs
# shellcheck disable=SC2034 # the scripts that source this use them
release=$root/build/release fuzz=$root/build/fuzz
mkdir -p "$logs"

# step NAME HINT COMMAND…: runs the command, its output to the log. On a terminal the line shows meanwhile
# what the command is at; elsewhere it is written in two halves, so that a reader sees what is going on.
step() {
  local name=$1 hint=$2 log started=$SECONDS code=0 latest
  shift 2
  log=$logs/${name,,}.log
  log=${log// /-}
  printf '%-16s ' "$name"
  "$@" >"$log" 2>&1 </dev/null &
  local child=$!
  trap 'kill $child 2>/dev/null; printf "\ninterrupted\n"; exit 130' INT TERM
  if [[ -t 1 ]]; then
    while kill -0 $child 2>/dev/null; do
      latest=$(tail -n 1 "$log" | tr -dc '[:print:]')
      printf '\r%-16s %4d s  \e[2m%.60s\e[0m\e[K' "$name" $((SECONDS - started)) "$latest"
      sleep 0.2
    done
    printf '\r\e[K%-16s ' "$name"
  fi
  wait $child || code=$?
  trap - INT TERM
  if ((code == 0)); then
    printf '%4d s\n' $((SECONDS - started))
    return
  fi
  printf 'failed after %d s (exit status %d). The last lines:\n\n' $((SECONDS - started)) $code
  tail -n 25 "$log" | sed 's/^/    /'
  printf '\nWhat to do: %s\nFull log:   %s\n' "$hint" "$log"
  exit 1
}

# listPackages SECTION…: the names that installer/packages/debian.txt gives for this release; the section
# above the first [name] is `run`.
listPackages() {
  local codename section=run line name absent
  codename=$(. /etc/os-release && echo "${UBUNTU_CODENAME:-${VERSION_CODENAME:-}}")
  while read -r line; do
    line=${line%%#*}
    [[ $line == \[* ]] && { section=${line//[\[\] ]/}; continue; }
    read -r name absent <<<"$line"
    [[ -n $name && " $* " == *" $section "* && " $absent " != *" !$codename "* ]] && echo "$name"
  done <"$root/installer/packages/debian.txt"
  return 0
}

# missingPackages SECTION…: those of the list that dpkg does not have
missingPackages() {
  local wanted
  mapfile -t wanted < <(listPackages "$@")
  comm -23 <(printf '%s\n' "${wanted[@]}" | sort) \
    <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/^installed //p' | sort -u)
}

aptInstall() {
  # a package source of somebody else's that does not answer must not stop the installation
  "${asRoot[@]}" apt-get -o DPkg::Lock::Timeout=120 update || true
  "${asRoot[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get install -y --no-install-recommends \
    -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}

# packages SECTION…: installs what is missing; asks for sudo only then, and only where one is not root
packages() {
  if ! command -v apt-get >/dev/null; then
    echo "Packages         no apt-get here: what installer/packages/debian.txt lists must be installed by hand"
    return
  fi
  local missing
  mapfile -t missing < <(missingPackages "$@")
  ((${#missing[@]})) || return 0
  local byHand="apt-get install --no-install-recommends ${missing[*]}"
  asRoot=()
  if ((EUID != 0)); then
    local prompt="Packages         sudo asks for the password of %p, to install ${#missing[@]} packages: "
    if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || sudo -v -p "$prompt"; }; then
      printf 'Packages         failed: %d are missing, and installing them takes root.\n' ${#missing[@]}
      printf '\nWhat to do: as root, run: %s\n' "$byHand"
      exit 1
    fi
    asRoot=(sudo -n)
  fi
  step Packages "check the network and the package sources (Millrace needs Debian 12 or Ubuntu 24.04, or newer), then run this again; by hand: $byHand" \
    aptInstall "${missing[@]}"
}

# compilers: as many compilers as there are processors, and no more than one for each GiB of memory that is free
compilers() {
  local byProcessor byMemory limit
  byProcessor=$(nproc)
  byMemory=$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || echo max)
  [[ $limit != max ]] && ((limit >> 30 < byMemory)) && byMemory=$((limit >> 30))
  ((byMemory < 1)) && byMemory=1
  echo "${MILLRACE_JOBS:-$((byProcessor < byMemory ? byProcessor : byMemory))}"
}

# configure PRESET FOLDER: once; later changes of CMake's own files are ninja's to notice. The presets are the
# part that ninja does not watch: the stamp knows them.
configure() {
  local preset=$1 folder=$2 name=Configure stamp options=()
  # warnings are errors with the compilers that are tested; another one may warn of more
  case $(. /etc/os-release && echo "$ID ${VERSION_ID:-}") in
    "debian 12" | "debian 13") ;;
    *) options=(-DMILLRACE_WERROR=OFF) ;;
  esac
  stamp="${options[*]} $(sha256sum <"$root/CMakePresets.json")"
  [[ -e $folder/build.ninja && $(cat "$folder/configured" 2>/dev/null) == "$stamp" ]] && return
  [[ $preset == release ]] || name="Configure $preset"
  step "$name" "the last lines name what is missing or wrong; if it is a package, install it; then run this again" \
    cmake -S "$root" --preset "$preset" -B "$folder" "${options[@]}"
  echo "$stamp" >"$folder/configured"
}

# build NAME FOLDER [TARGET…]
build() {
  local name=$1 folder=$2
  shift 2
  step "$name" "a line with 'Killed' means too little memory: try MILLRACE_JOBS=1 $0; otherwise mend what the line FAILED names" \
    ninja -C "$folder" -j "$(compilers)" "$@"
}
