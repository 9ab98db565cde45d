# An image of the SUSE family with packages added. Runtime, toolchain and system packages are all
# made by this one recipe; it works from any openSUSE base and needs no BuildKit. Installing
# starts no service here: there is no systemd that could.
ARG BASE
FROM ${BASE}
ARG PACKAGES
# "yes" where packages may be added later: the repositories' metadata is then there already.
ARG KEEP_LISTS=
RUN set -euf; export LC_ALL=C; \
    installed() { rpm -q --quiet --whatprovides "$1"; }; \
    missing=; \
    for package in $PACKAGES; do installed "$package" || missing="$missing $package"; done; \
    [ -n "$missing" ] || exit 0; \
    # Nobody reads manuals in here.
    mkdir -p /etc/rpm; echo '%_excludedocs 1' > /etc/rpm/macros.wheelhouse; \
    # Without a mirror that answers, all packages would be unknown.
    zypper --non-interactive refresh; \
    # Its exit status tells of more than failure: that something should be restarted, say.
    log=/tmp/packages.log; \
    { zypper --non-interactive install --no-recommends $missing 2>&1 || :; } | tee $log; \
    unknown=$(sed -n "s/^No provider of '\(.*\)' found\.$/\1/p" $log | sort -u); \
    [ -z "$unknown" ] || { echo "unknown packages:" $unknown; exit 100; }; \
    for package in $missing; do installed "$package"; done; \
    [ -n "$KEEP_LISTS" ] || zypper clean --all; \
    rm -rf $log /var/log/zypp /var/log/zypper.log
