# An image of the Debian family with packages added. Runtime, toolchain and system packages are
# all made by this one recipe; it works from any Debian base and needs no BuildKit.
ARG BASE
FROM ${BASE}
ARG PACKAGES
# Replaces http://deb.debian.org/debian, and with "-security" appended the security archive.
ARG DEBIAN_MIRROR=
# "yes" where packages may be added later: `apt-get update` is then a question, not a download.
ARG KEEP_LISTS=
ARG DEBIAN_FRONTEND=noninteractive
RUN set -eu; \
    installed() { dpkg-query -W -f '${Status}\n' "$1" 2>/dev/null | grep -qx 'install ok installed'; }; \
    missing=; \
    for package in $PACKAGES; do installed "$package" || missing="$missing $package"; done; \
    [ -n "$missing" ] || exit 0; \
    # The mirror is for this step only: the image's own sources stay as they are.
    sources=/tmp/sources; mkdir -p $sources/sources.list.d; \
    cp -r /etc/apt/sources.list* $sources/; \
    [ -z "$DEBIAN_MIRROR" ] || find $sources -type f -exec \
        sed -i "s|http://deb.debian.org/debian|$DEBIAN_MIRROR|g" {} +; \
    # Pattern-Only: or a name that holds a dot or a plus could be taken as a regular expression.
    settings="-o Acquire::Retries=3 -o Acquire::Languages=none -o Dpkg::Use-Pty=0 \
              -o APT::Cmd::Pattern-Only=true -o Dir::Etc::sourcelist=$sources/sources.list \
              -o Dir::Etc::sourceparts=$sources/sources.list.d"; \
    # Nobody reads manuals in here, and nothing in an unfinished image needs to survive a crash.
    { echo force-unsafe-io; \
      for folder in doc man info locale; do echo "path-exclude=/usr/share/$folder/*"; done; \
      echo 'path-include=/usr/share/doc/*/copyright'; } > /etc/dpkg/dpkg.cfg.d/wheelhouse; \
    # No package may start a service.
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; \
    # Without Error-Mode a mirror that does not answer is a warning, and all packages unknown.
    apt-get -qq $settings -o APT::Update::Error-Mode=any update; \
    unknown=; \
    for package in $missing; do \
        apt-cache $settings show "$package" > /dev/null 2>&1 || unknown="$unknown $package"; \
    done; \
    [ -z "$unknown" ] || { echo "unknown packages:$unknown"; exit 100; }; \
    apt-get -q -y $settings install --no-install-recommends -- $missing; \
    apt-get $settings clean; \
    [ -n "$KEEP_LISTS" ] || rm -rf /var/lib/apt/lists/*; \
    rm -rf $sources /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/cache/debconf/*-old
