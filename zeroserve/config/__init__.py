"""Config: flags and environment become one value, here and nowhere else."""
