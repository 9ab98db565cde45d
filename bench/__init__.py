"""How long wheelhouse takes for a job, beside pip and auditwheel in one container.

The job: from pinned, hashed requirements to a folder of wheels that the target installs.
`docs/benchmark.md` says what is compared and what is not.
"""
