"""Running package code, contained: the jobs, what they need, and what their failures mean."""
