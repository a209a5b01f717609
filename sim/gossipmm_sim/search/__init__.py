"""Many runs: campaigns, swarms, ablations, and the search for the smallest failing one."""
