#!/usr/bin/env bash
# Fuzzes one decoder with libFuzzer and the address sanitizer.
#
# usage: Tests/Fuzz/run.sh frames|records|events|chunks|yaml [SECONDS]
# It starts from Tests/Fuzz/Corpus/TARGET, which the ordinary tests replay (CorpusTests). What crashes goes to
# .build-fuzz/TARGET/findings/: add it to the corpus with its fix. What reaches new code goes to .build-fuzz/TARGET/corpus;
# the parts of it that matter are added with: .build-fuzz/TARGET/fuzz -merge=1 Tests/Fuzz/Corpus/TARGET .build-fuzz/TARGET/corpus
set -euo pipefail
target=${1:?usage: run.sh frames|records|events|chunks|yaml [SECONDS]}
seconds=${2:-60}
cd "$(dirname "$0")/../.."
build=.build-fuzz/$target
mkdir -p "$build/corpus" "$build/findings"

flags=(-O -enable-testing -parse-as-library -swift-version 6 -package-name muster -sanitize=fuzzer,address
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility
    -enable-upcoming-feature InternalImportsByDefault -enable-upcoming-feature NonisolatedNonsendingByDefault)
# A module of its own for each, built without the package manager: the sanitizers would rebuild the whole package.
module() { # name, then its sources
    local name=$1
    shift
    swiftc "${flags[@]}" -I "$build" -emit-module -emit-module-path "$build/$name.swiftmodule" -module-name "$name" \
        -emit-library -static -o "$build/lib$name.a" "$@"
}
libraries=(-L "$build" -lDeviceKit)
find Sources/DeviceKit -name '*.swift' -print0 | xargs -0 printf '%s\n' > "$build/devicekit.txt"
# shellcheck disable=SC2046
module DeviceKit $(cat "$build/devicekit.txt")
if [ "$target" = yaml ]; then
    yaml=(-I Sources/CLibYAML $(pkg-config --cflags --libs yaml-0.1))
    flags+=("${yaml[@]}")
    module YAML Sources/YAML/*.swift
    libraries=(-lYAML "${libraries[@]}" -lyaml)
else
    module ZKTecoWire Plugins/ZKTeco/Wire/*.swift
    libraries=(-lZKTecoWire "${libraries[@]}")
fi
sources=("Tests/Fuzz/Targets/$target.swift")
if [ "$target" = chunks ]; then
    module ZKTecoDriver Plugins/ZKTeco/Driver/*.swift
    libraries=(-lZKTecoDriver "${libraries[@]}")
    sources+=(Tests/ZKTecoTests/ChunkScript.swift)
fi
swiftc "${flags[@]}" -I "$build" -module-name Fuzz -o "$build/fuzz" "${sources[@]}" -L "$build" "${libraries[@]}"

# The default backtracer hangs beside the sanitizer.
SWIFT_BACKTRACE=enable=no exec "$build/fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$build/findings/" "$build/corpus" "Tests/Fuzz/Corpus/$target"
