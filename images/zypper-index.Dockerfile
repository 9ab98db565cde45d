# What the packages of an openSUSE release hold, for questions that are asked without a network:
# the metadata of its repositories. zypper fetches and checks what it installs from; the lists of
# files are not among that, so they are fetched beside it, and are what the checked part says.
ARG BASE
ARG TOOLBOX
FROM ${TOOLBOX} AS toolbox
FROM ${BASE}
COPY --from=toolbox /opt/wheelhouse /opt/wheelhouse
COPY index.py /opt/wheelhouse/
RUN set -eu; export LC_ALL=C; \
    zypper --non-interactive refresh; \
    # Whatever else lies in zypper's own folder it removes.
    work=/tmp/index; cp -r /var/cache/zypp/raw $work; \
    zypper --xmlout --no-refresh repos --uri > $work/repositories.xml; \
    /opt/wheelhouse/bin/python -I /opt/wheelhouse/index.py filelists $work > $work/wanted; \
    while read -r sha256 url file; do \
        curl -fsSL --retry 3 -o "$file" "$url"; \
        echo "$sha256  $file" | sha256sum -c --quiet -; \
    done < $work/wanted; \
    if [ -n "$(find $work -name '*.zst')" ] && ! command -v zstd > /dev/null; then \
        zypper --non-interactive install --no-recommends zstd; \
    fi; \
    /opt/wheelhouse/bin/python -I /opt/wheelhouse/index.py rpm $work; \
    zypper clean --all; \
    rm -rf $work /var/log/zypp /var/log/zypper.log
