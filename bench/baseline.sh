# The job as it is done by hand, in one container: `pip`, and `auditwheel` for what was compiled.
# Prints "@ PHASE SECONDS" where a phase starts, by the container's clock.
set -eu
cd /bench
mark() { printf '@ %s %s\n' "$1" "$(date +%s.%N)"; }

# As on a machine that was set up before: not measured.
"$PYTHON" -m venv venv
PATH=/bench/venv/bin:$PATH
pip install --quiet --upgrade pip
mkdir made wheels

mark wheels
if [ -z "$NO_BINARY" ]; then
    pip download --quiet --no-deps --only-binary :all: --require-hashes \
        --requirement requirements.txt --dest wheels
else
    pip wheel --quiet --no-deps --no-binary "$NO_BINARY" --require-hashes \
        --requirement requirements.txt --wheel-dir made
    mark repair
    for wheel in made/*.whl; do
        case $wheel in
            *-none-any.whl) cp "$wheel" wheels/ ;;
            *)
                PATH=$TOOLS:$PATH "$TOOL_PYTHON" -m auditwheel repair \
                    --plat "$POLICY" --wheel-dir wheels "$wheel"
                ;;
        esac
    done
fi
mark end
set -- wheels/*.whl
echo "$# wheels"
