# An image of the Alpine family with packages added. Runtime, toolchain and system packages are
# all made by this one recipe; it works from any Alpine base and needs no BuildKit. Documentation
# is in packages of its own here, and installing starts no service.
ARG BASE
FROM ${BASE}
ARG PACKAGES
# "yes" where packages may be added later: the repositories' index is then there already.
ARG KEEP_LISTS=
RUN set -eu; \
    missing=; \
    for package in $PACKAGES; do apk info -q -e "$package" || missing="$missing $package"; done; \
    [ -n "$missing" ] || exit 0; \
    # `apk add` alone takes a mirror that does not answer for one that has no packages.
    apk update; \
    log=/tmp/packages.log; failed=/tmp/packages.failed; \
    { apk add $missing 2>&1 || touch $failed; } | tee $log; \
    unknown=$(sed -n 's/^ *\([^ ]*\) (no such package):.*/\1/p' $log | sort -u); \
    if [ -e $failed ]; then \
        [ -z "$unknown" ] || { echo "unknown packages:" $unknown; exit 100; }; \
        exit 1; \
    fi; \
    rm -f $log; \
    [ -n "$KEEP_LISTS" ] || rm -rf /var/cache/apk/*
