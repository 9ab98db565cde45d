"""Known vulnerabilities of what is locked.

A *source* (:mod:`.offline`, :mod:`.service`) gives the advisories about projects that it is asked
for, as OSV records (https://ossf.github.io/osv-schema/). :mod:`.record` reads those,
:mod:`.matching` says which versions one is about, :mod:`.subjects` what of a lock is to be looked
up, and :mod:`.verdicts` what that comes to for each package. :mod:`.audit` puts it together. Only
sources do input and output; no version leaves this machine, nor does the name of what is not on
PyPI.

One rule is above all others: what nothing is known of is never told as clean. A project that a
source has no record of is *unknown*, and so is one with a record that cannot be understood.
"""
