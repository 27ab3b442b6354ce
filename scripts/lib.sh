# What start, setup and test share. Sourced, not run; the caller is in the repository's root.
# shellcheck shell=bash

log_dir=build/log

say() { printf '%s\n' "$*"; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# quietly LOG COMMAND...: the command's output goes to LOG and is shown only if it fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$log_dir"
  if ! "$@" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    fail "'$*' failed; all of its output is in $log"
  fi
}

# Whether TARGET_ARCH, a Debian architecture to build for, is another than this machine's.
is_cross_build() {
  [[ -n ${TARGET_ARCH:-} && $TARGET_ARCH != "$(dpkg --print-architecture)" ]]
}

# The target's name in its compiler's and libraries' paths, like aarch64-linux-gnu.
cross_triplet() { dpkg-architecture "-A$TARGET_ARCH" -qDEB_TARGET_MULTIARCH; }

# As many compilers at once as there are cores, but not more than memory has room for (a heavy
# C++ file takes up to 850 MB; a small board has more cores than that).
build_jobs() {
  local cores memory_kb jobs
  cores=$(nproc)
  memory_kb=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  jobs=$((memory_kb / 850000))
  if ((jobs > cores)); then jobs=$cores; fi
  if ((jobs < 1)); then jobs=1; fi
  printf '%s' "$jobs"
}

# configure PRESET: only when there is something to do; ninja itself sees changed CMake files.
configure() {
  local preset=$1 dir=build/$1 fresh=()
  if [[ -f $dir/CMakeCache.txt ]]; then
    if ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$dir/CMakeCache.txt"; then
      fresh=(--fresh) # the tree was moved or copied here
    elif [[ -f $dir/build.ninja && ! CMakePresets.json -nt $dir/build.ninja ]]; then
      return
    fi
  fi
  say "configuring build/$preset"
  quietly "$log_dir/configure-$preset.log" cmake --preset "$preset" "${fresh[@]}"
}

# Keeps ninja's output readable where it is not a terminal: a line every tenth of the way, and
# whatever is not a progress line (a compiler's messages) whole. Not awk's work: Debian's mawk waits
# for 4 KB of input, which is minutes.
sparse_progress() {
  local line tenth shown=''
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\  ]]; then
      tenth=$((10 * BASH_REMATCH[1] / BASH_REMATCH[2]))
      if [[ $tenth == "$shown" ]]; then continue; fi
      shown=$tenth
    elif [[ $line == 'ninja: no work to do.' ]]; then
      continue
    fi
    say "$line"
  done
}

# build PRESET [TARGET...]: one build at a time, whoever else runs these scripts in this tree.
build() {
  local preset=$1 targets=()
  shift
  if (($# > 0)); then targets=(--target "$@"); fi
  mkdir -p build
  (
    flock 9
    configure "$preset"
    local command=(cmake --build --preset "$preset" -j "$(build_jobs)" "${targets[@]}")
    if [[ -t 1 ]]; then
      "${command[@]}"
    else
      "${command[@]}" 2>&1 | sparse_progress
    fi
  ) 9>build/.lock || fail "the build of '$preset' failed"
}
