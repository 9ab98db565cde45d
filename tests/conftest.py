"""Its being here puts this folder on the path: what tests of several kinds share lies in it."""
