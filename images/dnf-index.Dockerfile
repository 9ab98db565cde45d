# What the packages of a Red Hat or Amazon release hold, for questions that are asked without a
# network: the metadata of all repositories that dnf-packages.Dockerfile installs from, the lists
# of files included. The package manager fetches and checks it.
ARG BASE
ARG TOOLBOX
FROM ${TOOLBOX} AS toolbox
FROM ${BASE}
COPY --from=toolbox /opt/wheelhouse /opt/wheelhouse
COPY index.py /opt/wheelhouse/
RUN set -euf; export LC_ALL=C; \
    for tool in dnf microdnf yum; do ! command -v "$tool" > /dev/null || break; done; \
    settings=; \
    for repository in crb powertools; do \
        ! grep -rqsx "\[$repository\]" /etc/yum.repos.d || settings="$settings --enablerepo=$repository"; \
    done; \
    # Newer dnf fetches lists of files only when told to, which older ones do not understand.
    "$tool" -y $settings --setopt=optional_metadata_types=filelists makecache || \
        "$tool" -y $settings makecache; \
    if [ -n "$(find /var/cache -name '*primary.xml.zst')" ] && ! command -v zstd > /dev/null; then \
        "$tool" install -y $settings zstd; \
    fi; \
    /opt/wheelhouse/bin/python -I /opt/wheelhouse/index.py rpm /var/cache; \
    rm -rf /var/cache/dnf /var/cache/libdnf5 /var/cache/yum /var/log/dnf*.log /var/log/hawkey.log
