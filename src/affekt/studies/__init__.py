"""Studies: experiments that look at several runs."""
