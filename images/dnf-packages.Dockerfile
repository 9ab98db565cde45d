# An image of the Red Hat or Amazon family with packages added. Runtime, toolchain and system
# packages are all made by this one recipe; it works from any base that has dnf, microdnf or yum
# (CentOS 7 is manylinux2014's), and needs no BuildKit. Installing starts no service here: there
# is no systemd that could.
ARG BASE
FROM ${BASE}
ARG PACKAGES
# "yes" where packages may be added later: the repositories' metadata is then there already.
ARG KEEP_LISTS=
RUN set -euf; export LC_ALL=C; \
    installed() { rpm -q --quiet --whatprovides "$1" 2>/dev/null; }; \
    missing=; \
    for package in $PACKAGES; do installed "$package" || missing="$missing $package"; done; \
    [ -n "$missing" ] || exit 0; \
    for tool in dnf microdnf yum; do ! command -v "$tool" > /dev/null || break; done; \
    # Without skip_if_unavailable a mirror that does not answer is a warning, and all packages
    # unknown. Lambda's and other minimal images have microdnf by the name of dnf.
    case $(readlink -f "$(command -v "$tool")") in \
        */microdnf) settings='--nodocs --setopt=install_weak_deps=0' ;; \
        */yum) settings='--setopt=tsflags=nodocs --setopt=skip_missing_names_on_install=False \
                         --setopt=*.skip_if_unavailable=False' ;; \
        # Full packages replace the minimal ones of an image, such as libcurl-minimal.
        *) settings='--setopt=tsflags=nodocs --setopt=install_weak_deps=False --allowerasing \
                     --setopt=*.skip_if_unavailable=False' ;; \
    esac; \
    # Many headers are in the distribution's own repository for developers, which is off.
    for repository in crb powertools; do \
        ! grep -rqsx "\[$repository\]" /etc/yum.repos.d || settings="$settings --enablerepo=$repository"; \
    done; \
    log=/tmp/packages.log; failed=/tmp/packages.failed; \
    { "$tool" install -y $settings $missing 2>&1 || touch $failed; } | tee $log; \
    unknown=$(sed -n -e 's/^No match for argument: //p' \
                     -e 's/^No package \(.*\) available\.*$/\1/p' \
                     -e "s/^error: No package matches '\(.*\)'$/\1/p" $log | sort -u); \
    if [ -e $failed ]; then \
        [ -z "$unknown" ] || { echo "unknown packages:" $unknown; exit 100; }; \
        exit 1; \
    fi; \
    [ -n "$KEEP_LISTS" ] || { "$tool" clean all; rm -rf /var/cache/dnf /var/cache/yum; }; \
    set +f; rm -rf $log /var/log/dnf*.log /var/log/hawkey.log /var/log/yum.log
