# What the packages of a Debian release hold, for questions that are asked without a network: apt
# fetches the archive's lists of files (Contents) and checks them as it checks packages. Some 55
# MB travel; what no build asks for is left out of the index.
ARG BASE
ARG TOOLBOX
FROM ${TOOLBOX} AS toolbox
FROM ${BASE}
COPY --from=toolbox /opt/wheelhouse /opt/wheelhouse
COPY index.py /opt/wheelhouse/
# Replaces http://deb.debian.org/debian, and with "-security" appended the security archive.
ARG DEBIAN_MIRROR=
RUN set -eu; \
    # The mirror is for this step only: the image's own sources stay as they are.
    work=/tmp/index; mkdir -p $work/sources/sources.list.d $work/lists; \
    cp -r /etc/apt/sources.list* $work/sources/; \
    [ -z "$DEBIAN_MIRROR" ] || find $work/sources -type f -exec \
        sed -i "s|http://deb.debian.org/debian|$DEBIAN_MIRROR|g" {} +; \
    # Ubuntu has one list for all components, where Debian has one in each.
    target='Acquire::IndexTargets::deb::Contents'; \
    { for kind in deb legacy; do \
        echo "$target-$kind::ShortDescription \"Contents-\$(ARCHITECTURE)\";"; \
        echo "$target-$kind::Description \"\$(RELEASE) \$(ARCHITECTURE) Contents\";"; \
        echo "$target-$kind::Identifier \"Contents\";"; \
        echo "$target-$kind::KeepCompressed \"true\";"; \
        echo "$target-$kind::PDiffs \"false\";"; \
      done; \
      echo "$target-deb::MetaKey \"\$(COMPONENT)/Contents-\$(ARCHITECTURE)\";"; \
      echo "$target-legacy::MetaKey \"Contents-\$(ARCHITECTURE)\";"; \
      echo "$target-legacy::Fallback-Of \"Contents-deb\";"; \
      echo "Acquire::Retries \"3\"; Acquire::Languages \"none\";"; \
      echo "Dir::State::lists \"$work/lists\";"; \
      echo "Dir::Etc::sourcelist \"$work/sources/sources.list\";"; \
      echo "Dir::Etc::sourceparts \"$work/sources/sources.list.d\";"; \
    } > $work/apt.conf; \
    export APT_CONFIG=$work/apt.conf; \
    # Mirrors are often out of step in the lists of small updates. What is enough, index.py says.
    apt-get -q update || :; \
    unpacked() { \
        apt-get indextargets --format '$(IDENTIFIER) $(FILENAME)' "Identifier: $1" | \
        while read -r _ file; do /usr/lib/apt/apt-helper cat-file "$file"; echo; done; \
    }; \
    unpacked Contents > $work/contents; \
    unpacked Packages > $work/packages; \
    /opt/wheelhouse/bin/python -I /opt/wheelhouse/index.py apt $work/contents $work/packages; \
    rm -rf $work /var/cache/apt/*.bin
